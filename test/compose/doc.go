// Package compose brings docker-compose.yml up for real, breaks it while jobs
// run, and accounts for every token (go test -compose). Without the flag it only
// reads the files and checks that they fit together.
package compose

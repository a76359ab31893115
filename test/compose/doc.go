// Package compose starts docker-compose.yml, breaks it while jobs run, and accounts
// for every token (go test -compose). Without the flag it only reads the files and
// checks that they are consistent. It has only tests.
package compose

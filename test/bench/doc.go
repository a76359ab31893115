// Package bench measures postrider against plain asynq and plain HTTP in the same
// run, with a private redis-server and a simulated vendor that answers success to
// every request. It has only benchmarks: make bench.
package bench

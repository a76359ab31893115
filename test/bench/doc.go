// Package bench measures postrider against plain asynq and plain HTTP in the
// same run, on a redis-server of its own and a vendor that answers success to
// everything. It has benchmarks only: make bench.
package bench

// Package e2e runs the commands as a user does: worker, enqueue and simulator are
// separate processes on a private redis-server. It has only tests.
package e2e

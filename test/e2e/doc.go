// Package e2e runs the commands as a user does: worker, enqueue and simulator
// as processes of their own, on a redis-server of its own. It has tests only.
package e2e

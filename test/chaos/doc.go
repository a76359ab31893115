// Package chaos runs workers as processes, breaks them, Redis and the vendors at
// random, and compares the outcome of every token with what the vendors saw.
//
// It knows for which reasons a token may be sent twice; anything else is a failure.
// It has only tests; make chaos runs the long one.
package chaos

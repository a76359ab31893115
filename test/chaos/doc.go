// Package chaos runs workers as processes, breaks them, Redis and the vendors
// at random, and holds what became of every token against what the vendors saw.
//
// It knows what may happen twice and why, and refuses to accept anything else.
// It has tests only; make chaos runs the long one.
package chaos

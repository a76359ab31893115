// Package push is what a Go service imports to enqueue push messages: Job,
// Message and Client.
//
// It knows what a job is, what makes one acceptable, and how it is written to
// Redis. It does not know how to call any vendor: what it needs to know about vendors
// (name, batch limit, hard limits of a message) is passed to it.
package push

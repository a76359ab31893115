// Package push is what a Go service imports to enqueue push messages: Job,
// Message and Client.
//
// It knows what a job is, what makes one acceptable, and how it is laid down in
// Redis. It does not know how any vendor is spoken to: what it needs of the
// vendors (name, batch limit, hard limits of a message) is handed to it.
package push

// Package simulator plays the push vendors over HTTP for unit tests, end-to-end
// tests, benchmarks and the demo.
//
// It knows the list of players and the paths below /_simulator/ that control them.
// What all players share is in package play, and what a vendor's documents say is
// in one package for each vendor.
//
// It refuses to know the adapters: it imports nothing of this project, since a
// fake made from the client's types proves nothing.
//
// A new vendor is one package with a function New(Options) play.Vendor, and one
// line in the list of simulator.go.
package simulator

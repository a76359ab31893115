// Package simulator plays the push vendors over HTTP for unit tests, end-to-end
// tests, benchmarks and the demo.
//
// It knows what the vendors' documents say: paths, credentials, limits, codes
// and the shapes of answers. It checks what it is sent as strictly as the
// vendor would, keeps a list of everything a client did wrong even where the
// vendor would forgive it, counts how often each push token was accepted, and
// misbehaves on demand by rules that are data (see Fault).
//
// It refuses to know the adapters: it imports nothing of this project, since a
// fake made from the client's types proves nothing. It delivers nothing, and
// keeps no push token, only hashes of them (the journal of the last requests
// holds the beginning of their bodies).
//
// A new vendor is one file with a function that returns a vendor, and one line
// in the table of vendor.go.
package simulator

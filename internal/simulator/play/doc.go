// Package play is what all simulated vendors share: a server that gives each
// request to a vendor's endpoint, access tokens, fault rules, counts, receipts,
// checks of JSON by tables, and a fast scanner for lists of push tokens.
//
// A player (Vendor) checks what it is sent as strictly as the vendor would. The
// server keeps a list of everything that clients did wrong, even where the vendor
// forgives it, counts how often each push token was accepted, and fails requests
// by rules that are data (see Fault).
//
// It knows no vendor, except in examples, and no adapter. It delivers nothing and
// stores no push tokens, only hashes of them; but the journal of the last requests
// holds the beginning of their bodies.
package play

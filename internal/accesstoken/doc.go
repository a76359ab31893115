// Package accesstoken shares the vendors' access tokens among all workers. There
// is one grant at a time for each app and vendor, however many workers start at
// once. One worker renews the token early. A token that the vendor refuses is
// deleted at once.
//
// The states of a token in Redis:
//
//	          lock          granted
//	none ──────────► asked ──────────► valid ◄───────────────┐
//	 ▲                 │                 │ 5 minutes, or a     │ granted
//	 │                 │ refused         │ tenth of its life,  │
//	 │                 ▼                 ▼ before its end      │
//	 │◄──────────── refused            valid, asked by one ────┘
//	 │  the wait is over                 │ worker: others use it
//	 └───────────────────────────────────┘
//	   its end, or the vendor refused it (Invalidate)
//
// Callers without a token wait for the worker that asks. Within one worker they share
// one search. A lock ends after 10 s, so a worker that was killed delays the others
// no longer than that.
//
// It knows Redis and when a token is due for renewal. It does not know how a
// vendor grants one (a vendors.Granter does) or what a refusal means (the caller's
// Backoff function decides). It neither logs nor retries.
package accesstoken

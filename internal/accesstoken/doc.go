// Package accesstoken shares the vendors' access tokens among all workers. There
// is one grant at a time for each app and vendor, however many workers start at
// once. One worker renews the token early. A token that the vendor refuses is
// deleted at once.
//
// It knows Redis and when a token is due for renewal. It does not know how a
// vendor grants one (a vendors.Granter does) or what a refusal means (the caller's
// Backoff function decides). It neither logs nor retries.
package accesstoken

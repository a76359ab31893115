// Package feed handles invalid tokens after the ledger has recorded them. It
// reads the feed, as any application may, and posts it to a webhook. It confirms
// or discards the entries that the guard quarantined. It knows which tokens are
// known to be invalid, so that they are skipped. And it pulls the lists of invalid
// tokens that some vendors provide in addition to their answers and receipts.
//
// It does not know what a code means, or why an entry was quarantined.
package feed

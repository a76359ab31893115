// Package upload shares the ids of messages that are stored at a vendor before
// they are sent. A message is uploaded once, whichever chunk, worker or retry
// comes first. Within one worker, concurrent callers wait for one lookup; a caller
// that is canceled leaves it to the others.
//
// It knows Redis. It does not know how a message is uploaded, or which messages
// need it.
package upload

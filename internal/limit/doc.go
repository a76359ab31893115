// Package limit keeps all workers together under one rate limit per (app,
// vendor), and keeps the pauses and stops that they all respect. Each request asks
// in this order: is it paused or stopped (Pass), are its jobs parked (Try), are
// there permits (Take, or Place for a time of its own).
//
// A pause ends at its time. A stop ends when one request, its probe, has shown that
// it may:
//
//	                 Stop                        pause is over
//	requests go on ---------> stopped, pausing -----------------> probe may be made
//	      ^                     ^      ^                               |
//	      |                     |      |   Stop: the probe failed,     | Pass answers
//	      |                     |      +-- the pause is doubled ---+   | one request
//	      |                     |                                  |   v
//	      |                     |    Release, or no answer       probe is out,
//	      |                     |    in time: another probe <--- all others wait
//	      |                                                        |
//	      +-------------------- Well: the vendor answered ---------+
//
// Resume ends all of it at once. A job is parked when only its own requests are at
// fault: it goes through the same states by itself (Park, Try, Unpark), and the
// app's other jobs go on.
//
// The package knows permits, rates, pauses, stops and parked jobs, and keeps them in
// Redis. It does not know what a permit is for (the vendor's own unit: tokens,
// requests or messages), which answer calls for a pause, or how long a quota's window
// is: the caller says so. It never waits: it says how long the caller should.
package limit

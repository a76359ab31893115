// Package coord holds what workers do once, or together:
//
//   - Leadership: one of many workers does something, and another one takes over
//     when that worker is gone.
//   - Flight: concurrent callers within one worker share one run of some work.
//   - StreamReader: all workers read one Redis stream, and each entry goes to one
//     of them.
//   - Take, Release, CallKey, DeleteEntries: a step that go-redis sends again,
//     because its reply was lost, takes effect once and returns its first answer.
//   - Sleep: a wait that ends with its context.
//
// It knows Redis and time. It does not know what the work is.
package coord

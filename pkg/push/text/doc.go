// Package text judges and shows text that comes from outside: which encoding a
// file is in, where JSON holds something that is not text, how a name is shown
// that may be a push token, and what may be printed on a terminal.
//
// It knows no field of a job and no vendor.
package text

// Package logging writes the worker's log: its format, the lines of the Redis
// client, and a limit for repeated lines. A worker without Redis would otherwise
// write hundreds of lines about it.
//
// It knows when a line was last written, and how many were omitted since. It
// does not know what a line says: the caller gives each kind of line a name.
package logging

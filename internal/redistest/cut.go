package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// The names of Redis 7's append-only files, until they are rewritten.
const (
	appendDir  = "appendonlydir"
	appendIncr = "appendonly.aof.1.incr.aof"
)

// Appended returns the append-only file of a server with AppendOnly.
func (s *Server) Appended(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, appendDir, appendIncr))
	if err != nil {
		tb.Fatalf("read the append-only file: %v", err)
	}
	return b
}

// AppendedSize returns the current length of that file; 0 if it cannot be read.
func (s *Server) AppendedSize() int64 {
	info, err := os.Stat(filepath.Join(s.dir, appendDir, appendIncr))
	if err != nil {
		return 0
	}
	return info.Size()
}

// StartCut starts another server with what a power loss may have left of this
// server's disk: only the first size bytes of its append-only file. It runs until it
// is killed or the test ends.
func (s *Server) StartCut(tb testing.TB, size int64) *Server {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.CopyFS(filepath.Join(dir, appendDir), os.DirFS(filepath.Join(s.dir, appendDir))); err != nil {
		tb.Fatalf("copy the append-only file: %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, appendDir, appendIncr), size); err != nil {
		tb.Fatalf("cut the append-only file: %v", err)
	}
	cut, err := launch(dir, Args("--appendonly", "yes", "--appendfsync", "no", "--aof-load-truncated", "yes"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cut.Kill)
	return cut
}

// Boundaries returns where the commands of an append-only file end, in order,
// from 0 on.
func Boundaries(appended []byte) ([]int64, error) {
	all, rest := []int64{0}, appended
	for len(rest) > 0 {
		n, err := commandLength(rest)
		if err != nil {
			return all, fmt.Errorf("at byte %d: %w", len(appended)-len(rest), err)
		}
		rest = rest[n:]
		all = append(all, int64(len(appended)-len(rest)))
	}
	return all, nil
}

var errNoCommand = errors.New("not a complete command of an append-only file")

// commandLength is the length of the first command, such as
// "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n". A line that begins with # is a timestamp.
func commandLength(b []byte) (int, error) {
	if end := bytes.IndexByte(b, '\n'); b[0] == '#' && end >= 0 {
		return end + 1, nil
	}
	words, at, err := number(b, 0, '*')
	if err != nil {
		return 0, err
	}
	for range words {
		var n int
		if n, at, err = number(b, at, '$'); err != nil {
			return 0, err
		}
		if at += n + len("\r\n"); at > len(b) {
			return 0, errNoCommand
		}
	}
	return at, nil
}

// number reads the number after a mark, and returns where the next line begins.
func number(b []byte, at int, mark byte) (n, next int, err error) {
	end := bytes.Index(b[min(at, len(b)):], []byte("\r\n"))
	if end < 1 || b[at] != mark {
		return 0, 0, errNoCommand
	}
	n, err = strconv.Atoi(string(b[at+1 : at+end]))
	return n, at + end + len("\r\n"), err
}

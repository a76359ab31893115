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

// What Redis 7 calls the files of its append-only log, as long as it is not rewritten.
const (
	appendDir  = "appendonlydir"
	appendIncr = "appendonly.aof.1.incr.aof"
)

// Appended returns what the append-only file of a server with AppendOnly holds.
func (s *Server) Appended(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, appendDir, appendIncr))
	if err != nil {
		tb.Fatalf("read the append-only file: %v", err)
	}
	return b
}

// AppendedSize returns how long that file is by now; 0: it cannot be told.
func (s *Server) AppendedSize() int64 {
	info, err := os.Stat(filepath.Join(s.dir, appendDir, appendIncr))
	if err != nil {
		return 0
	}
	return info.Size()
}

// StartCut starts another server on what a power loss may have left of this
// one's disk: its append-only file, of which only the first bytes were written.
// The caller kills it; the test's end does otherwise.
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

var errNoCommand = errors.New("no whole command of an append-only file")

// commandLength is how long the first command is: "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".
// A line that begins with # is a time.
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

// number reads the number after a mark, and says where what follows begins.
func number(b []byte, at int, mark byte) (n, next int, err error) {
	end := bytes.Index(b[min(at, len(b)):], []byte("\r\n"))
	if end < 1 || b[at] != mark {
		return 0, 0, errNoCommand
	}
	n, err = strconv.Atoi(string(b[at+1 : at+end]))
	return n, at + end + len("\r\n"), err
}

// Package intake reads what producers hand in: files and streams of targets
// (CSV or NDJSON) and of jobs (NDJSON), gzipped or not, line by line. It knows
// formats and line numbers; what makes a token or a job acceptable it does not.
package intake

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// LineError is a fault of the input at a line, counted from 1. Line 0 is the
// input as a whole.
type LineError struct {
	Line int
	Err  error
}

// Error puts the line before the fault.
func (e *LineError) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}

// Unwrap returns the fault.
func (e *LineError) Unwrap() error { return e.Err }

// lines reads lines that share one buffer.
type lines struct {
	r       *bufio.Reader
	n       int // of the line read last
	long    []byte
	longest int
}

// open starts reading, through gzip if the input begins like it.
func open(r io.Reader, longest int) (*lines, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, &LineError{Err: fmt.Errorf("read gzip: %w", err)}
		}
		b = bufio.NewReaderSize(z, 256<<10)
	}
	if bom, _ := b.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(3)
	}
	return &lines{r: b, longest: longest}, nil
}

// next returns the next line without its end, valid until the next call; io.EOF ends.
func (l *lines) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.rest(line)
	}
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return nil, io.EOF
	case err != nil && !errors.Is(err, io.EOF):
		return nil, &LineError{l.n + 1, brokenOff(err)}
	}
	l.n++
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// rest reads on a line that is longer than the buffer.
func (l *lines) rest(head []byte) ([]byte, error) {
	l.long = append(l.long[:0], head...)
	for {
		part, err := l.r.ReadSlice('\n')
		l.long = append(l.long, part...)
		if len(l.long) > l.longest {
			return nil, tooLong(l.longest)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}

// tooLong is the fault of a line that has more bytes than this.
type tooLong int

func (n tooLong) Error() string { return fmt.Sprintf("is longer than %d bytes", int(n)) }

// brokenOff says why a line could not be read to its end.
func brokenOff(err error) error {
	switch {
	case errors.As(err, new(tooLong)):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the gzip stream breaks off")
	}
	return fmt.Errorf("read: %w", err)
}

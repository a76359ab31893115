// Package intake reads what producers send: files and streams of targets (CSV or
// NDJSON) and of jobs (NDJSON), gzipped or not, line by line, and the Redis stream of
// jobs. It knows formats and line numbers. It does not know what makes a token or a
// job acceptable.
package intake

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/postrider/postrider/pkg/push/text"
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

// open starts reading lines.
func open(r io.Reader, longest int) (*lines, error) {
	b, err := unpack(r)
	if err != nil {
		return nil, err
	}
	return &lines{r: b, longest: longest}, nil
}

// ReadAll reads one whole job or message, and unpacks it if it is gzipped. The error
// for input that is not text, or too long, is a *LineError.
func ReadAll(r io.Reader) ([]byte, error) {
	b, err := unpack(r)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(b, longestJob+1))
	switch {
	case err != nil:
		return nil, &LineError{Err: brokenOff(err)}
	case len(data) > longestJob:
		return nil, &LineError{Err: tooLong(longestJob)}
	}
	return data, nil
}

// unpack unpacks gzipped input, and refuses input whose first bytes cannot be text.
func unpack(r io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, &LineError{Err: fmt.Errorf("read gzip: %w", err)}
		}
		b = bufio.NewReaderSize(z, 256<<10)
	}
	head, _ := b.Peek(8) // an error comes again with the first line
	for _, f := range formats {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return nil, &LineError{Err: errors.New(f.fault)}
		}
	}
	if text.Wide(head) != "" {
		return nil, &LineError{Err: errors.New(text.Fault(head))}
	}
	return b, nil
}

// formats are the formats of files that people send although text is wanted.
var formats = []struct{ magic, fault string }{
	{"PK\x03\x04", "is a zip archive or an Excel file: unpack it, or save the sheet as CSV in UTF-8"},
	{"\x28\xb5\x2f\xfd", "is compressed with zstd: want plain text or gzip"},
	{"\xfd7zXZ\x00", "is compressed with xz: want plain text or gzip"},
	{"BZh", "is compressed with bzip2: want plain text or gzip"},
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
	// Any line may begin with a byte order mark: files are concatenated.
	return text.TrimMark(bytes.TrimSuffix(line, []byte("\r"))), nil
}

// rest reads the rest of a line that is longer than the buffer.
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

// brokenOff says why a line could not be read completely.
func brokenOff(err error) error {
	switch {
	case errors.As(err, new(tooLong)):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the gzip stream breaks off")
	}
	return fmt.Errorf("read: %w", err)
}

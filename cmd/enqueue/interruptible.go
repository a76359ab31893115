package main

import (
	"context"
	"io"
)

// longestRead is the most that one read returns, in bytes.
const longestRead = 256 << 10

// interruptible is a reader that returns when its context ends, even while no
// input arrives. A read of a terminal or pipe cannot be aborted, so a goroutine
// does the read. It leaks if the context ends first; the program then ends too.
type interruptible struct {
	ctx context.Context
	r   io.Reader
	buf []byte
}

// Read returns the next input, or the context's error.
func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	if i.buf == nil {
		i.buf = make([]byte, longestRead)
	}
	room := i.buf[:min(len(p), len(i.buf))]
	done := make(chan struct{})
	var got int
	var readErr error
	go func() {
		defer close(done)
		got, readErr = i.r.Read(room)
	}()
	select {
	case <-done:
		return copy(p, room[:got]), readErr
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	}
}

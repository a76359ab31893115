package main

import (
	"context"
	"io"
)

// longestRead bounds what is read at once, in bytes.
const longestRead = 256 << 10

// interruptible reads until its context ends, even while nothing comes: a read
// of a terminal or a pipe cannot be broken off, so a goroutine waits in it,
// which is left behind if the context ends first. The program ends then too.
type interruptible struct {
	ctx context.Context
	r   io.Reader
	buf []byte
}

// Read reads what comes, or fails with the context's error.
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

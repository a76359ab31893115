package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// HeaderVersion is the newest version of headers that this build reads, and the
// one that it writes. Version 1 has neither start nor trace.
const HeaderVersion = 2

// ErrNewer means that a newer postrider wrote this: leave it for one that can read it.
var ErrNewer = errors.New("written by a newer version of postrider")

// Header is the payload of a task: small, readable in asynq's UI, without tokens.
type Header struct {
	Version int `json:"v"`
	// Job is the job's id; "" when the chunk is shared by several jobs, whose number
	// is Jobs.
	Job  string `json:"job,omitempty"`
	Jobs int    `json:"jobs,omitempty"`
	App  string `json:"app"`
	// Chunk is the reference for ChunkKey.
	Chunk  string `json:"chunk"`
	Tokens int    `json:"tokens"`
	// Message identifies the message by its content; "": the chunk has several.
	Message string `json:"message,omitempty"`
	// Start is when the first of the chunk's jobs could be sent, Unix
	// milliseconds; 0 in version 1.
	Start int64 `json:"start,omitempty"`
	// Expires is when the last of the chunk's jobs expires, Unix seconds.
	Expires int64 `json:"expires"`
	// Trace is the job's traceparent (W3C Trace Context), if it has one.
	Trace string `json:"trace,omitempty"`
}

// Encode writes the header as JSON.
func (h Header) Encode() []byte {
	h.Version = HeaderVersion
	b, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings and numbers only: cannot happen
	}
	return b
}

// DecodeHeader reads a task's payload. The error wraps ErrNewer for a version that
// this build does not know, and for a task with several chunks: a later version may
// write those, and this one would lose all but the first.
func DecodeHeader(b []byte) (Header, error) {
	var h struct {
		Header
		Chunks json.RawMessage `json:"chunks"`
	}
	err := json.Unmarshal(b, &h)
	switch {
	case h.Version > HeaderVersion: // comes first: a newer field may have another type
		return h.Header, fmt.Errorf("decode task header: version %d: %w", h.Version, ErrNewer)
	case err != nil:
		return Header{}, fmt.Errorf("decode task header: %w", err)
	case h.Version < 1:
		return Header{}, fmt.Errorf("decode task header: unknown version %d", h.Version)
	case len(h.Chunks) > 0 && string(h.Chunks) != "[]" && string(h.Chunks) != "null":
		return h.Header, fmt.Errorf("decode task header: several chunks: %w", ErrNewer)
	case h.App == "" || h.Chunk == "":
		return Header{}, errors.New("decode task header: app and chunk are missing")
	}
	return h.Header, nil
}

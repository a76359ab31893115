package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/postrider/postrider/pkg/push/wire"
)

func FuzzDecodeChunk(f *testing.F) {
	for _, name := range goldens() {
		f.Add(golden(f, name))
	}
	f.Add("p3 of a newer version")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := wire.DecodeChunk(s)
		if err != nil {
			return
		}
		checkCounts(t, c, s)
		again, err := wire.DecodeChunk(encode(t, c))
		if err != nil || !same(again, c) {
			t.Errorf("written again it reads as %+v, %v, want %+v", again, err, c)
		}
	})
}

func FuzzDecodeHeader(f *testing.F) {
	for _, line := range append(lines(f, "header.golden"), lines(f, "header_v1.golden")...) {
		f.Add([]byte(line))
	}
	f.Add([]byte(`{"v":3}`))
	f.Add([]byte(`{"v":2,"app":"shop","chunks":["{a}:huawei:0"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := wire.DecodeHeader(b)
		switch {
		case errors.Is(err, wire.ErrNewer) && h.Version <= wire.HeaderVersion && !bytes.Contains(bytes.ToLower(b), []byte("chunks")):
			t.Errorf("version %d is called newer", h.Version)
		case err != nil:
			return
		}
		h.Version = wire.HeaderVersion // what is written again is of the newest version
		if again, err := wire.DecodeHeader(h.Encode()); err != nil || again != h {
			t.Errorf("written again it reads as %+v, %v, want %+v", again, err, h)
		}
	})
}

func FuzzDecodeSingle(f *testing.F) {
	for _, line := range lines(f, "single.golden") {
		f.Add(line)
	}
	f.Add("2 of a newer version")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := wire.DecodeSingle(s)
		if err != nil {
			return
		}
		if again, err := wire.DecodeSingle(l.Encode()); err != nil || !sameSingle(again, l) {
			t.Errorf("written again it reads as %+v, %v, want %+v", again, err, l)
		}
	})
}

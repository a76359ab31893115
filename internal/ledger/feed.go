package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// feedOnce is how long a token that was not found by a step is not added again to
	// the feed for the same code.
	feedOnce = 24 * time.Hour
	// perFeed is the most entries of one call of the script.
	perFeed = 500
)

// Found is what was learned about an app's tokens at a vendor other than from the
// answer to a request.
type Found struct {
	App, Vendor string
	// Source names the guard's counters; the guard judges each source by itself.
	// Answered is how many tokens were reported, invalid ones included; 0: this is not
	// known, and the guard's last judgement of Source holds.
	Source   string
	Answered int
	Invalid  []InvalidToken
}

// Feed adds invalid tokens to the feed or to the quarantine, each at most once a day
// for the same code: adding the same again, after an error, is safe. It returns how
// many were added, and where.
func (s *Store) Feed(ctx context.Context, f Found) (added int, standing Standing, err error) {
	for len(f.Invalid) > 0 || f.Answered > 0 {
		part := f
		part.Invalid = f.Invalid[:min(perFeed, len(f.Invalid))]
		f.Invalid = f.Invalid[len(part.Invalid):]
		// The first part counts all of them, so that the guard judges all of them.
		got, err := s.feedCall(part, len(part.Invalid)+len(f.Invalid)).Run(ctx, s.Redis).Int64Slice()
		if err != nil || len(got) != 2 {
			return added, standing, fmt.Errorf("feed invalid tokens: %w", err)
		}
		added, standing = added+int(got[0]), max(standing, Standing(got[1]))
		f.Answered = 0
	}
	return added, standing, nil
}

// feedCall adds one part of what was found; invalid is how many invalid tokens
// the guard is to count.
func (s *Store) feedCall(f Found, invalid int) *lua.Call {
	now := s.now()
	if f.Answered == 0 {
		invalid = 0
	}
	c := feedScript.Call().Grow(len(f.Invalid), 21*len(f.Invalid)).
		Key("call", coord.CallKey(wire.InvalidStream)).
		Key("stream", wire.InvalidStream).
		Key("quarantine", wire.QuarantineStream).
		Key("guard", wire.GuardKey(f.App, f.Vendor, f.Source)).
		Key("marks", wire.GoneKey(f.App, f.Vendor)).
		Arg("now", now.Unix()).
		Arg("keep", int64(s.keep()/time.Second)).
		Arg("once", int64(feedOnce/time.Second)).
		Arg("answered", f.Answered).
		Arg("among", invalid).
		Arg("guard_least", s.Guard.Min).
		Arg("guard_ratio", s.Guard.Ratio)
	words := make([][]any, len(f.Invalid))
	for i, t := range f.Invalid {
		words[i] = t.addTo(c.Row("invalid").Key("added", wire.FedKey(digest(t))), now)
	}
	for _, w := range words {
		c.Rest(w...)
	}
	return c
}

// digest identifies app, vendor, token and code without revealing the token.
func digest(t InvalidToken) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{t.App, t.Vendor, t.Token, t.Code}, "\n")))
	return hex.EncodeToString(sum[:16])
}

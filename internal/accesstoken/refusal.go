package accesstoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// refusal is a *vendors.Error as Redis stores it.
type refusal struct {
	Op    string         `json:"op"`
	Level classify.Level `json:"level"`
	Code  string         `json:"code"`
	Text  string         `json:"text,omitempty"`
	Cause string         `json:"cause,omitempty"`
}

// DefaultBackoff doubles from 1 s, to 30 s when the vendor could not be reached
// and to 5 minutes when it said no: Huawei blocks grants for up to that long
// after more than 1,000 in 5 minutes (1302). A Retry-After counts up to 5 minutes.
//
// Source: https://developer.huawei.com/consumer/cn/doc/harmonyos-references/account-api-obtain-app-token
func DefaultBackoff(refusal *vendors.Error, n int) time.Duration {
	const longest = 5 * time.Minute
	limit := longest
	if refusal.Code.Level == classify.Transport {
		limit = 30 * time.Second
	}
	grown := time.Second << min(max(n, 1)-1, 10)
	return max(min(grown, limit), min(refusal.RetryAfter, longest))
}

// refuse stores the nth refusal in a row for all workers, and returns it.
func (s *Store) refuse(ctx context.Context, sl *slot, lock string, e *vendors.Error, n int) error {
	backoff := DefaultBackoff
	if s.Backoff != nil {
		backoff = s.Backoff
	}
	wait := backoff(e, n)
	if wait < time.Millisecond {
		s.unlock(ctx, sl, lock)
		return e
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	err := refuseScript.Call().
		Key("lock", sl.lock).Key("refusal", sl.refused).Key("refusals", sl.refusals).
		Arg("me", lock).Arg("value", formatRefusal(e)).
		Arg("wait", wait.Milliseconds()).Arg("forget", (wait+forgetRefusals).Milliseconds()).
		Run(ctx, s.Redis).Err()
	said := *e
	said.RetryAfter = wait
	if err != nil {
		return errors.Join(&said, fmt.Errorf("record refusal: %w", err))
	}
	return &said
}

func formatRefusal(e *vendors.Error) string {
	r := refusal{Op: e.Op, Level: e.Code.Level, Code: e.Code.Code, Text: e.Code.Text}
	if e.Err != nil {
		r.Cause = e.Err.Error()
	}
	b, _ := json.Marshal(r) // strings always can be
	return string(b)
}

// parseRefusal never returns nil: a refusal that cannot be read, for example of a newer
// version, is still one.
func parseRefusal(value string, left time.Duration) *vendors.Error {
	var r refusal
	if err := json.Unmarshal([]byte(value), &r); err != nil || r.Code == "" {
		r = refusal{Op: "fetch access token", Level: classify.Auth, Code: "unreadable"}
	}
	e := &vendors.Error{Op: r.Op, Code: classify.Code{Level: r.Level, Code: r.Code, Text: r.Text}, RetryAfter: left}
	if r.Cause != "" {
		e.Err = errors.New(r.Cause)
	}
	return e
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

// ErrUnknown is wrapped by the error for a job that no ledger knows.
var ErrUnknown = errors.New("no such job")

// Status is a job's balance. It holds at every moment:
// Accepted = Delivered + Invalid + Dropped + Expired + Dead + Canceled + Pending.
type Status struct {
	Job       string         `json:"job"`
	App       string         `json:"app"`
	State     string         `json:"state"` // running, done or canceled
	Accepted  int            `json:"accepted"`
	Delivered int            `json:"delivered"`
	Invalid   int            `json:"invalid"`
	Dropped   int            `json:"dropped"`
	Expired   int            `json:"expired"`
	Dead      int            `json:"dead"`
	Canceled  int            `json:"canceled"`
	Pending   int            `json:"pending"`
	Codes     map[string]int `json:"codes"` // answers by "vendor/level/code"
	// Receipts are not part of the balance; nil: none came.
	Receipts *Receipts `json:"receipts,omitempty"`
}

// Receipts are tokens by what the vendor reported about them afterwards: each counts
// once for each of the three.
type Receipts struct {
	Arrived int `json:"arrived"`
	Clicked int `json:"clicked"`
	Failed  int `json:"failed"`
}

func (s *Status) receipt(r wire.Receipt, n int) {
	if n == 0 {
		return
	}
	if s.Receipts == nil {
		s.Receipts = &Receipts{}
	}
	switch r {
	case wire.Arrived:
		s.Receipts.Arrived += n
	case wire.Clicked:
		s.Receipts.Clicked += n
	case wire.Failed:
		s.Receipts.Failed += n
	}
}

// count is the field in which tokens with an outcome are counted.
func (s *Status) count(o wire.Outcome) *int {
	switch o {
	case wire.Delivered:
		return &s.Delivered
	case wire.Invalid:
		return &s.Invalid
	case wire.Dropped:
		return &s.Dropped
	case wire.Expired:
		return &s.Expired
	case wire.Dead:
		return &s.Dead
	case wire.Canceled:
		return &s.Canceled
	case wire.Pending:
	}
	return &s.Pending
}

// Count is the number of tokens with the outcome.
func (s *Status) Count(o wire.Outcome) int { return *s.count(o) }

// Ended reports whether every token has its outcome.
func (s *Status) Ended() bool { return s.Pending == 0 && s.State != wire.Running }

// Status reads a job's ledger. The error wraps ErrUnknown if there is none.
func (s *Store) Status(ctx context.Context, job string) (Status, error) {
	raw, err := s.Redis.Get(ctx, wire.JobKey(job)).Result()
	switch {
	case err == nil:
		return singleStatus(job, raw)
	case errors.Is(err, redis.Nil):
		return Status{}, fmt.Errorf("job %s: %w", text.Name(job), ErrUnknown)
	case !redis.HasErrorPrefix(err, "WRONGTYPE"):
		return Status{}, fmt.Errorf("read job %s: %w", job, err)
	}
	fields, err := s.Redis.HGetAll(ctx, wire.JobKey(job)).Result()
	if err != nil {
		return Status{}, fmt.Errorf("read job %s: %w", job, err)
	}
	return hashStatus(job, fields)
}

func singleStatus(job, raw string) (Status, error) {
	l, err := wire.DecodeSingle(raw)
	if err != nil {
		return Status{}, fmt.Errorf("read job %s: %w", job, err)
	}
	st := Status{Job: job, App: l.App, State: wire.Done, Accepted: 1, Codes: l.Codes}
	*st.count(l.Outcome) = 1
	for _, r := range l.Receipts {
		st.receipt(r, 1)
	}
	switch {
	case l.Canceling || l.Outcome == wire.Canceled:
		st.State = wire.Canceling
	case l.Outcome == wire.Pending:
		st.State = wire.Running
	}
	return st, nil
}

func hashStatus(job string, fields map[string]string) (Status, error) {
	st := Status{Job: job, App: fields[wire.FieldApp], State: fields[wire.FieldState], Codes: map[string]int{}}
	if st.State == wire.Staging || st.State == wire.Sealed {
		st.State = wire.Running
	}
	number := func(field string) (int, error) {
		if fields[field] == "" {
			return 0, nil
		}
		n, err := strconv.Atoi(fields[field])
		if err != nil {
			return 0, fmt.Errorf("read job %s: field %s is no number", job, field)
		}
		return n, nil
	}
	var err error
	if st.Accepted, err = number(wire.FieldAccepted); err != nil {
		return Status{}, err
	}
	st.Pending = st.Accepted
	for _, o := range wire.Outcomes() {
		n, err := number(string(o))
		if err != nil {
			return Status{}, err
		}
		*st.count(o) = n
		st.Pending -= n
	}
	for _, r := range wire.Receipts() {
		n, err := number(r.Field())
		if err != nil {
			return Status{}, err
		}
		st.receipt(r, n)
	}
	for f := range fields {
		if !strings.Contains(f, "/") {
			continue
		}
		if st.Codes[f], err = number(f); err != nil {
			return Status{}, err
		}
	}
	return st, nil
}

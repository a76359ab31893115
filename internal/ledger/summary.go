package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Summary is a job's balance with what a list of jobs shows.
type Summary struct {
	Status
	// Known: there is a ledger.
	Known bool
	// Single: the job has one token. Then Created is not known.
	Single         bool
	Created, Ended time.Time // zero: not known; it has not ended
	// Enqueuing: not all of its tasks exist yet.
	Enqueuing bool
}

// summaryFields are what Summaries reads of a ledger that is a hash.
func summaryFields() []string {
	all := []string{wire.FieldState, wire.FieldApp, wire.FieldAccepted, wire.FieldCreated, wire.FieldEnded, wire.FieldDigest}
	for _, o := range wire.Outcomes() {
		all = append(all, string(o))
	}
	return all
}

// Summaries reads the ledgers of many jobs in two round trips. Codes and
// receipts are left out.
func (s *Store) Summaries(ctx context.Context, jobs []string) ([]Summary, error) {
	fields := summaryFields()
	hashes, singles := make([]*redis.SliceCmd, len(jobs)), make([]*redis.StringCmd, len(jobs))
	_, _ = s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error { // errors are checked per command below
		for i, job := range jobs {
			hashes[i] = p.HMGet(ctx, wire.JobKey(job), fields...)
		}
		return nil
	})
	_, _ = s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, job := range jobs {
			if redis.HasErrorPrefix(hashes[i].Err(), "WRONGTYPE") {
				singles[i] = p.Get(ctx, wire.JobKey(job))
			}
		}
		return nil
	})
	out := make([]Summary, len(jobs))
	for i, job := range jobs {
		var err error
		if singles[i] != nil {
			out[i], err = singleSummary(job, singles[i])
		} else {
			out[i], err = hashSummary(job, fields, hashes[i])
		}
		if err != nil {
			return nil, fmt.Errorf("read job %s: %w", job, err)
		}
	}
	return out, nil
}

func singleSummary(job string, cmd *redis.StringCmd) (Summary, error) {
	raw, err := cmd.Result()
	if errors.Is(err, redis.Nil) {
		return Summary{}, nil // it was deleted in between
	}
	if err != nil {
		return Summary{}, err
	}
	l, err := wire.DecodeSingle(raw)
	if err != nil {
		return Summary{}, err
	}
	st, err := singleStatus(job, raw)
	return Summary{Status: st, Known: true, Single: true, Ended: l.Ended}, err
}

func hashSummary(job string, fields []string, cmd *redis.SliceCmd) (Summary, error) {
	values, err := cmd.Result()
	if err != nil {
		return Summary{}, err
	}
	have := make(map[string]string, len(fields))
	for i, v := range values {
		if text, ok := v.(string); ok {
			have[fields[i]] = text
		}
	}
	if len(have) == 0 {
		return Summary{}, nil
	}
	st, err := hashStatus(job, have)
	if err != nil {
		return Summary{}, err
	}
	return Summary{
		Status: st, Known: true, Created: unix(have[wire.FieldCreated]), Ended: unix(have[wire.FieldEnded]),
		Enqueuing: have[wire.FieldDigest] != "",
	}, nil
}

// unix reads a Unix second; the zero time: there is none.
func unix(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

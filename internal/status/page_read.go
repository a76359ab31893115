package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// newest is how many entries of a stream the page reads.
	newest = 100
	// mostJobs is how many jobs the page shows.
	mostJobs = 25
)

// AccountRow is an app at a vendor.
type AccountRow struct {
	Vendor string
	App
}

// byAccount returns each account of the lanes once.
func byAccount(all []Lane) []AccountRow {
	var list []AccountRow
	seen := map[string]bool{}
	for _, l := range all {
		if seen[l.Vendor] {
			continue
		}
		seen[l.Vendor] = true
		for _, a := range l.Apps {
			list = append(list, AccountRow{l.Vendor, a})
		}
	}
	return list
}

// WorkingJob is a job with tasks in these lanes.
type WorkingJob struct {
	ledger.Status
	Lanes []string
}

// jobs returns the jobs whose tasks run or are next in line. Tasks that many jobs
// share do not name their jobs, so these are missing.
func (h *Page) jobs(ctx context.Context, all []Lane) ([]WorkingJob, error) {
	where := map[string][]string{}
	var ids []string
	for _, l := range all {
		if l.Waiting+l.InFlight == 0 {
			continue
		}
		tasks, err := queue.Recent(h.Redis, l.Lane)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			head, err := wire.DecodeHeader(t.Payload)
			if err != nil || head.Job == "" {
				continue
			}
			if where[head.Job] == nil {
				ids = append(ids, head.Job)
			}
			if !slices.Contains(where[head.Job], l.Lane) {
				where[head.Job] = append(where[head.Job], l.Lane)
			}
		}
	}
	book := ledger.Store{Redis: h.Redis}
	var jobs []WorkingJob
	for _, id := range ids[:min(len(ids), mostJobs)] {
		st, err := book.Status(ctx, id)
		if errors.Is(err, ledger.ErrUnknown) {
			continue // its ledger was deleted since the task was read
		}
		if err != nil {
			return nil, fmt.Errorf("read job: %w", err)
		}
		jobs = append(jobs, WorkingJob{st, where[id]})
	}
	return jobs, nil
}

// Tally groups the newest entries of a stream.
type Tally struct {
	Total int64 // entries of the stream
	Seen  int   // the newest entries, which are in Rows
	Rows  []TallyRow
}

// TallyRow are entries that differ only in their tokens.
type TallyRow struct {
	App, Vendor, Code, Reason string
	Entries, Tokens           int
}

func (t *Tally) add(key TallyRow, tokens int) {
	t.Seen++
	i := slices.IndexFunc(t.Rows, func(r TallyRow) bool {
		return r.App == key.App && r.Vendor == key.Vendor && r.Code == key.Code && r.Reason == key.Reason
	})
	if i < 0 {
		i = len(t.Rows)
		t.Rows = append(t.Rows, key)
	}
	t.Rows[i].Entries++
	t.Rows[i].Tokens += tokens
}

func (t *Tally) sort() {
	slices.SortStableFunc(t.Rows, func(a, b TallyRow) int { return cmp.Compare(b.Tokens, a.Tokens) })
}

// dead counts dead letters by reason. Details in the vendor's words are not shown.
func (h *Page) dead(ctx context.Context) (Tally, error) {
	all, total, err := (&deadletter.Store{Redis: h.Redis}).Newest(ctx, newest)
	t := Tally{Total: total}
	for i := range all {
		e := &all[i]
		t.add(TallyRow{App: e.App, Vendor: e.Vendor, Code: e.Code, Reason: string(e.Reason)}, e.Count())
	}
	t.sort()
	return t, err
}

// quarantined counts the quarantined feed entries.
func (h *Page) quarantined(ctx context.Context) (Tally, error) {
	total, err := h.Redis.XLen(ctx, wire.QuarantineStream).Result()
	if err != nil {
		return Tally{}, fmt.Errorf("count quarantined tokens: %w", err)
	}
	raw, err := h.Redis.XRevRangeN(ctx, wire.QuarantineStream, "+", "-", newest).Result()
	if err != nil {
		return Tally{}, fmt.Errorf("read quarantined tokens: %w", err)
	}
	t := Tally{Total: total}
	for _, m := range raw {
		e := wire.DecodeInvalidEntry(m.Values)
		t.add(TallyRow{App: e.App, Vendor: e.Vendor, Code: e.Code}, 1)
	}
	t.sort()
	return t, nil
}

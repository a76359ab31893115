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
	// mostJobs is how many jobs it shows.
	mostJobs = 25
)

// Account is one app at one vendor.
type AccountRow struct {
	Vendor string
	App
}

// byAccount returns the apps of the lanes, each once.
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

// WorkingJob is a job in work.
type WorkingJob struct {
	ledger.Status
	Lanes []string
}

// jobs returns the jobs whose tasks are in work or next. Of tasks that several jobs
// share only the shared chunk is known, not the jobs.
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
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read job: %w", err)
		}
		jobs = append(jobs, WorkingJob{st, where[id]})
	}
	return jobs, nil
}

// Tally counts entries of a stream by what they have in common.
type Tally struct {
	Total int64 // entries of the stream
	Seen  int   // how many of them, the newest, are in Rows
	Rows  []TallyRow
}

// TallyRow is entries that have everything but their tokens in common.
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

// dead counts dead letters by their reason; the vendor's own words stay in the entry.
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

// held counts the quarantined entries.
func (h *Page) held(ctx context.Context) (Tally, error) {
	total, err := h.Redis.XLen(ctx, wire.QuarantineStream).Result()
	if err != nil {
		return Tally{}, fmt.Errorf("count quarantined entries: %w", err)
	}
	raw, err := h.Redis.XRevRangeN(ctx, wire.QuarantineStream, "+", "-", newest).Result()
	if err != nil {
		return Tally{}, fmt.Errorf("read quarantined entries: %w", err)
	}
	t := Tally{Total: total}
	for _, m := range raw {
		e := wire.DecodeInvalidEntry(m.Values)
		t.add(TallyRow{App: e.App, Vendor: e.Vendor, Code: e.Code}, 1)
	}
	t.sort()
	return t, nil
}

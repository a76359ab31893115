package queue

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Pass is the result of reading all open work once.
type Pass struct {
	// Began is when the first of it was read, by Redis's clock.
	Began time.Time
	// Singles are the open jobs that wire.JobsKey does not list: those of one token.
	Singles int
	// StuckSingles are those of them whose task is gone and could not be enqueued again.
	StuckSingles int
	// Blind: the jobs of some chunk are not known.
	Blind bool

	seen, stuck map[uint64]struct{} // hashes of the jobs of more than one token
	seed        maphash.Seed
}

// Seen reports whether a job of more than one token has a chunk with tokens left.
func (p *Pass) Seen(job string) bool {
	_, ok := p.seen[maphash.String(p.seed, job)]
	return ok
}

// Stuck reports whether such a chunk has no task, and none could be enqueued again.
func (p *Pass) Stuck(job string) bool {
	_, ok := p.stuck[maphash.String(p.seed, job)]
	return ok
}

// pass is a Pass that is under way.
type pass struct {
	Pass
	// cursors are where the next step begins in each lane; absent: at the beginning.
	cursors map[string]int64
}

// passed is the cursor of a lane of which everything was read.
const passed = -1

func newPass(began time.Time) *pass {
	return &pass{
		Pass:    Pass{Began: began, seen: map[uint64]struct{}{}, stuck: map[uint64]struct{}{}, seed: maphash.MakeSeed()},
		cursors: map[string]int64{},
	}
}

// complete reports whether all lanes were read.
func (p *pass) complete(lanes []string) bool {
	for _, l := range lanes {
		if p.cursors[l] != passed {
			return false
		}
	}
	return true
}

// note counts the jobs of members. If a job has one token left in a chunk, only
// wire.JobsKey reports whether it has others elsewhere.
func (p *pass) note(ctx context.Context, rdb redis.UniversalClient, all, stuck []Lost) error {
	isStuck := make(map[string]bool, len(stuck))
	for _, l := range stuck {
		isStuck[l.Task] = true
	}
	packs, err := packedJobs(ctx, rdb, all)
	if err != nil {
		p.Blind = true
		return err
	}
	var names []string
	var stucks []bool
	for i, l := range all {
		jobs := packs[i]
		if job := l.Job(); job != "" {
			jobs = []wire.PackedJob{{Job: job}}
		}
		p.Blind = p.Blind || len(jobs) == 0
		for _, j := range jobs {
			names, stucks = append(names, j.Job), append(stucks, isStuck[l.Task])
		}
	}
	if len(names) == 0 {
		return nil
	}
	created, err := inList(ctx, rdb, names)
	if err != nil {
		p.Blind = true
		return err
	}
	for i, job := range names {
		switch {
		case created[i] && stucks[i]:
			p.stuck[maphash.String(p.seed, job)] = struct{}{}
			fallthrough
		case created[i]:
			p.seen[maphash.String(p.seed, job)] = struct{}{}
		default:
			p.Singles++
			if stucks[i] {
				p.StuckSingles++
			}
		}
	}
	return nil
}

// inList reports for each job whether wire.JobsKey lists it.
func inList(ctx context.Context, rdb redis.UniversalClient, jobs []string) ([]bool, error) {
	args := make([]any, 0, 2+len(jobs))
	args = append(args, "zmscore", wire.JobsKey)
	for _, j := range jobs {
		args = append(args, j)
	}
	// go-redis's ZMScore returns 0 for a missing member.
	scores, err := rdb.Do(ctx, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("look for jobs: %w", err)
	}
	out := make([]bool, len(jobs))
	for i := range out {
		out[i] = i < len(scores) && scores[i] != nil
	}
	return out, nil
}

package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// hastenPage is about how many waiting tasks one command reads.
const hastenPage = 1000

// Hasten makes waiting tasks due now. It is safe for concurrent use.
type Hasten struct {
	Redis redis.UniversalClient
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Job makes the tasks of a canceled job due now, so that its tokens are counted
// at once and not when they would have been sent. Chunks that the job shares with
// others keep their time. It looks through every task that waits.
func (s Hasten) Job(ctx context.Context, job string) error {
	lanes, err := s.Redis.SMembers(ctx, wire.AsynqQueues).Result()
	if err != nil {
		return fmt.Errorf("hasten tasks of job %s: %w", job, err)
	}
	mine := waiting{
		pattern: globs.Replace(title(job)) + "[-.]*",
		match:   func(h wire.Header) bool { return h.Job == job }, // ids of jobs may begin alike
	}
	for _, lane := range lanes {
		for _, set := range []string{wire.ScheduledKey(lane), wire.RetryKey(lane)} {
			if err := s.tasks(ctx, mine, lane, set); err != nil {
				return fmt.Errorf("hasten tasks of job %s: %w", job, err)
			}
		}
	}
	return nil
}

// App makes the app's tasks that were put back in a lane due now: what they
// waited for has ended early. It looks through every task that was put back.
func (s Hasten) App(ctx context.Context, lane, app string) error {
	mine := waiting{pattern: "*", match: func(h wire.Header) bool { return h.App == app }}
	if err := s.tasks(ctx, mine, lane, wire.RetryKey(lane)); err != nil {
		return fmt.Errorf("hasten tasks of app %s: %w", app, err)
	}
	return nil
}

func (s Hasten) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// waiting says which tasks are made due: those whose id has the pattern and whose
// header matches.
type waiting struct {
	pattern string
	match   func(wire.Header) bool
}

// title is what the ids of the job's tasks begin with.
func title(job string) string {
	id := wire.TaskID(job, "")
	return strings.TrimSuffix(id, "-")
}

// globs escapes the characters that have a meaning in a pattern of Redis.
var globs = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

func (s Hasten) tasks(ctx context.Context, w waiting, lane, set string) error {
	for cursor := uint64(0); ; {
		found, next, err := s.Redis.ZScan(ctx, set, cursor, w.pattern, hastenPage).Result()
		if err != nil {
			return err
		}
		for i := 0; i < len(found); i += 2 { // each id is followed by its score
			if err := s.task(ctx, w, lane, set, found[i]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// task makes one task due if its header matches.
func (s Hasten) task(ctx context.Context, w waiting, lane, set, id string) error {
	msg, err := s.Redis.HGet(ctx, wire.TaskKey(lane, id), "msg").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if h, ok := header(msg); !ok || !w.match(h) {
		return nil
	}
	return hastenScript.Call().
		Key("waiting", set).Key("task", wire.TaskKey(lane, id)).Key("list", wire.PendingKey(lane)).
		Arg("id", id).Arg("nanos", s.now().UnixNano()).
		Run(ctx, s.Redis).Err()
}

// header reads the header from a task in asynq's encoding, which contains the payload
// unchanged.
func header(msg string) (wire.Header, bool) {
	i := strings.Index(msg, `{"v":`)
	if i < 0 {
		return wire.Header{}, false
	}
	var raw json.RawMessage
	if err := json.NewDecoder(strings.NewReader(msg[i:])).Decode(&raw); err != nil {
		return wire.Header{}, false
	}
	h, err := wire.DecodeHeader(raw)
	return h, err == nil
}

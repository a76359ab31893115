package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// hastenPage is how many waiting tasks one command looks at, about.
const hastenPage = 1000

// hastenScript makes a task that waits for its time due now, as asynq does when
// that time has come.
//
//	KEYS: asynq's set that the task waits in, asynq task, asynq pending
//	ARGV: asynq task id, now (ns)
var hastenScript = redis.NewScript(`
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[2], 'state', 'pending', 'pending_since', ARGV[2])
return 1
`)

// Hasten has the tasks of a canceled job come up now, so that its tokens are
// counted at once and not when they would have been sent. Chunks that the job
// shares with others keep their time. It looks through every task that waits.
func (s *Store) Hasten(ctx context.Context, job string) error {
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
			if err := s.hasten(ctx, mine, lane, set); err != nil {
				return fmt.Errorf("hasten tasks of job %s: %w", job, err)
			}
		}
	}
	return nil
}

// HastenApp has the app's tasks that were put back in a lane come up now: what
// they waited for has ended early. It looks through every task put back.
func (s *Store) HastenApp(ctx context.Context, lane, app string) error {
	mine := waiting{pattern: "*", match: func(h wire.Header) bool { return h.App == app }}
	if err := s.hasten(ctx, mine, lane, wire.RetryKey(lane)); err != nil {
		return fmt.Errorf("hasten tasks of app %s: %w", app, err)
	}
	return nil
}

// waiting says which tasks are to come up: those whose id has the pattern and
// whose header matches.
type waiting struct {
	pattern string
	match   func(wire.Header) bool
}

// title is what every id of the job's tasks begins with.
func title(job string) string {
	id := wire.TaskID(job, "")
	return strings.TrimSuffix(id, "-")
}

// globs are the characters that a pattern of Redis gives a meaning.
var globs = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

func (s *Store) hasten(ctx context.Context, w waiting, lane, set string) error {
	for cursor := uint64(0); ; {
		found, next, err := s.Redis.ZScan(ctx, set, cursor, w.pattern, hastenPage).Result()
		if err != nil {
			return err
		}
		for i := 0; i < len(found); i += 2 { // each id is followed by its score
			if err := s.hastenTask(ctx, w, lane, set, found[i]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// hastenTask makes one task due if its header matches.
func (s *Store) hastenTask(ctx context.Context, w waiting, lane, set, id string) error {
	msg, err := s.Redis.HGet(ctx, wire.TaskKey(lane, id), "msg").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if h, ok := header(msg); !ok || !w.match(h) {
		return nil
	}
	keys := []string{set, wire.TaskKey(lane, id), wire.PendingKey(lane)}
	return hastenScript.Run(ctx, s.Redis, keys, id, s.now().UnixNano()).Err()
}

// header is that of a task in asynq's encoding, in which its payload stands as
// it is.
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

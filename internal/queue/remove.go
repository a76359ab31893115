package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Tasks that a person deletes in the UI are deleted here and not by asynq: the step
// that removes a task also records that a person did it, so its tokens end canceled.
// If asynq deleted it, a worker would find it lost and send it again.

const (
	// removePage is how many tasks one step removes.
	removePage = 500
	// maxRemoveBody bounds a request that names tasks, as asynqmon does.
	maxRemoveBody = 1_000_000
)

// removals are the UI's requests that delete tasks: of one, of some, of all of
// a state. A task that is in work cannot be deleted.
var removals = regexp.MustCompile(`^/api/queues/([^/]+)/(pending|scheduled|retry|archived)_tasks(?:(:delete_all|:batch_delete)|/([^/]+))$`)

// removal is a request of the UI to delete tasks.
type removal struct{ lane, state, verb, id string }

// asRemoval recognises a request to delete tasks of a lane of ours.
func asRemoval(r *http.Request) (removal, bool) {
	m := removals.FindStringSubmatch(r.URL.Path)
	if m == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return removal{}, false
	}
	method := http.MethodDelete
	if m[3] == ":batch_delete" {
		method = http.MethodPost
	}
	return removal{m[1], m[2], m[3], m[4]}, r.Method == method && isLane(m[1])
}

// isLane reports whether a queue can be one of our lanes.
func isLane(name string) bool {
	vendor, priority := wire.SplitLane(name)
	return vendor != "" && slices.Contains(push.Priorities(), push.Priority(priority))
}

// serve deletes the tasks and answers as asynqmon does.
func (m removal) serve(w http.ResponseWriter, r *http.Request, rdb redis.UniversalClient) {
	var answer any
	var err error
	switch m.verb {
	case ":delete_all":
		var n int
		n, err = removeAll(r.Context(), rdb, m.lane, m.state)
		answer = map[string]int{"deleted": n}
	case ":batch_delete":
		var asked struct {
			TaskIDs []string `json:"task_ids"`
		}
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRemoveBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var done, failed []string
		done, failed, err = removeSome(r.Context(), rdb, m.lane, asked.TaskIDs)
		answer = map[string][]string{"deleted_ids": append([]string{}, done...), "failed_ids": append([]string{}, failed...)}
	default:
		var done []string
		done, _, err = removeSome(r.Context(), rdb, m.lane, []string{m.id})
		if err == nil && len(done) == 0 {
			http.Error(w, "no task of that id can be deleted: it is in work, or does not exist", http.StatusNotFound)
			return
		}
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		_ = json.NewEncoder(w).Encode(answer) // the browser went away
	}
}

// removeSome removes tasks by their ids.
func removeSome(ctx context.Context, rdb redis.UniversalClient, lane string, ids []string) (done, failed []string, err error) {
	for part := range slices.Chunk(ids, removePage) {
		c := removeScript.Call().
			Key("deleted", wire.DeletedKey(lane)).
			Key("pending", wire.PendingKey(lane)).
			Key("scheduled", wire.ScheduledKey(lane)).
			Key("retry", wire.RetryKey(lane)).
			Key("archived", wire.ArchivedKey(lane))
		for _, id := range part {
			c.Row("task").Key("task", wire.TaskKey(lane, id)).Arg("id", id)
		}
		removed, err := c.Run(ctx, rdb).Int64Slice()
		if err == nil && len(removed) != len(part) {
			err = errors.New("redis answered for other tasks")
		}
		if err != nil {
			return done, failed, fmt.Errorf("delete tasks of %s: %w", lane, err)
		}
		for i, id := range part {
			if removed[i] == 1 {
				done = append(done, id)
			} else {
				failed = append(failed, id)
			}
		}
	}
	return done, failed, nil
}

// removeAll removes the tasks of a state, as many as there are at the beginning.
func removeAll(ctx context.Context, rdb redis.UniversalClient, lane, state string) (removed int, err error) {
	size, next := setOf(ctx, rdb, lane, state)
	left, err := size.Result()
	for err == nil && left > 0 {
		var ids, done []string
		if ids, err = next(min(left, removePage)).Result(); err != nil || len(ids) == 0 {
			break
		}
		done, _, err = removeSome(ctx, rdb, lane, ids)
		removed += len(done)
		left -= int64(len(ids))
	}
	if err != nil {
		return removed, fmt.Errorf("delete all %s tasks of %s: %w", state, lane, err)
	}
	return removed, nil
}

// setOf is how many tasks of a state there are, and a command for the next n of them.
func setOf(ctx context.Context, rdb redis.UniversalClient, lane, state string) (*redis.IntCmd, func(n int64) *redis.StringSliceCmd) {
	if state == "pending" {
		key := wire.PendingKey(lane) // asynq takes tasks from its right end
		return rdb.LLen(ctx, key), func(n int64) *redis.StringSliceCmd { return rdb.LRange(ctx, key, -n, -1) }
	}
	key := map[string]string{"scheduled": wire.ScheduledKey(lane), "retry": wire.RetryKey(lane), "archived": wire.ArchivedKey(lane)}[state]
	return rdb.ZCard(ctx, key), func(n int64) *redis.StringSliceCmd { return rdb.ZRange(ctx, key, 0, n-1) }
}

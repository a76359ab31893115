package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

// ErrFinished is wrapped by the error for a job that cannot be canceled any
// more: every token has its outcome.
var ErrFinished = errors.New("the job is finished")

// Cancel cancels what is not sent yet of a job; canceling it again changes nothing.
// The error wraps ErrUnknown or ErrFinished if there is nothing to cancel.
func (s *Store) Cancel(ctx context.Context, job string) error {
	got, err := cancelScript.Call().
		Key("ledger", wire.JobKey(job)).
		Key("staged", wire.StagedKey(job)).
		Key("message", wire.MessageKey(job)).
		Key("staging_jobs", wire.StagingKey).
		Key("canceling", wire.CancelingKey).
		Arg("now", s.now().Unix()).
		Arg("keep_at_least", int64(s.keep()/time.Second)).
		Arg("chunk_prefix", wire.ChunkKey(wire.JobChunk(job, ""))).
		Arg("job", job).
		Run(ctx, s.Redis).Text()
	switch {
	case err != nil:
		return fmt.Errorf("cancel job %s: %w", job, err)
	case got == "unknown":
		return fmt.Errorf("cancel job %s: %w", text.Name(job), ErrUnknown)
	case got == "finished":
		return fmt.Errorf("cancel job %s: %w", job, ErrFinished)
	case got != "ok":
		return fmt.Errorf("cancel job %s: its ledger: %w", job, wire.ErrNewer)
	}
	return nil
}

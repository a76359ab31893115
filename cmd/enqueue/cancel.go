package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func (p *program) cancel() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel JOB",
		Short: "Cancel the tokens of a job that were not sent yet",
		Long: `cancel stops a job: no new request for it starts later than a second after this
command has returned. Workers count the remaining tokens as canceled within ten
seconds, except those of requests that are in flight.

It exits 0 also if the job was canceled before, and 1 if the job is finished or
unknown.`,
		Args: cli.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.job = args[0]
			if err := p.connect(); err != nil {
				return err
			}
			return p.runCancel(cmd.Context())
		},
	}
}

func (p *program) runCancel(ctx context.Context) error {
	if err := p.book().Cancel(ctx, p.job); err != nil {
		return err
	}
	if err := (queue.Hasten{Redis: p.rdb}).Job(ctx, p.job); err != nil {
		return fmt.Errorf("job %s is canceled, but its tokens may stay pending until their retry time: run enqueue cancel again: %w", p.job, err)
	}
	st, err := p.book().Status(ctx, p.job)
	if err != nil {
		return err
	}
	if p.json {
		return p.print(st)
	}
	return p.printStatus(st)
}

// unlessCanceled adds to a duplicate error that the job with this id was
// canceled, if so: before, or while it was being enqueued.
func (p *program) unlessCanceled(ctx context.Context, err error) error {
	if !errors.Is(err, push.ErrDuplicate) || p.job == "" {
		return err
	}
	if st, fault := p.book().Status(ctx, p.job); fault != nil || st.State != wire.Canceling {
		return err
	}
	return fmt.Errorf("%w: that job was canceled", err)
}

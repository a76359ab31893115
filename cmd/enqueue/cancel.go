package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func (a *app) cancel() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel JOB",
		Short: "Cancel what is not yet sent of a job",
		Long: `cancel ends what is not yet sent of a job: nothing new of it is sent later than
a second after this command returned. Workers count the tokens as canceled
within ten seconds, but for those of requests that are in flight.

It exits 0 also when the job was canceled before, and 1 when the job is finished
or unknown.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.job = args[0]
			if err := a.connect(); err != nil {
				return err
			}
			return a.runCancel(cmd.Context())
		},
	}
}

func (a *app) runCancel(ctx context.Context) error {
	if err := a.book().Cancel(ctx, a.job); err != nil {
		return err
	}
	if err := (queue.Hasten{Redis: a.book().Redis}).Job(ctx, a.job); err != nil {
		return fmt.Errorf("job %s is canceled; its tokens may be pending for long: %w", a.job, err)
	}
	st, err := a.book().Status(ctx, a.job)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(st)
	}
	return a.tellStatus(st)
}

// unlessCanceled says so when an enqueue found its id taken because the job was
// canceled, meanwhile or before.
func (a *app) unlessCanceled(ctx context.Context, err error) error {
	if !errors.Is(err, push.ErrDuplicate) || a.job == "" {
		return err
	}
	if st, fault := a.book().Status(ctx, a.job); fault != nil || st.State != wire.Canceling {
		return err
	}
	return fmt.Errorf("%w: that job was canceled", err)
}

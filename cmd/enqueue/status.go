package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/postrider/postrider/internal/ledger"
)

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status JOB",
		Short: "Show a job's ledger",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.job = args[0]
			if err := a.connect(); err != nil {
				return err
			}
			st, err := a.book().Status(cmd.Context(), args[0])
			if errors.Is(err, ledger.ErrUnknown) {
				return fmt.Errorf("%w: it was never enqueued, or finished longer ago than ledgers are kept", err)
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.print(st)
			}
			return a.tellStatus(st)
		},
	}
}

func (a *app) book() *ledger.Store { return &ledger.Store{Redis: a.rdb, Keep: a.cfg.Ledger.Keep} }

// follow waits for the job's end and shows how far it is.
func (a *app) follow(ctx context.Context, job string, accepted int) (ledger.Status, error) {
	bar := a.bar(accepted)
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for {
		st, err := a.book().Status(ctx, job)
		if err != nil {
			return st, err
		}
		if bar != nil {
			_ = bar.Set(st.Accepted - st.Pending)
		}
		if st.Ended() {
			if bar != nil {
				_ = bar.Finish()
				fmt.Fprintln(a.err)
			}
			return st, nil
		}
		select {
		case <-ctx.Done():
			return st, fmt.Errorf("stopped waiting for job %s, which goes on: see enqueue status %s", job, job)
		case <-t.C:
		}
	}
}

// bar is the progress bar, if there is somebody to look at it.
func (a *app) bar(total int) *progressbar.ProgressBar {
	f, ok := a.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(a.err), progressbar.OptionSetDescription("tokens"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("tokens"),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
}

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

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/ledger"
)

func (p *program) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status JOB",
		Short: "Show a job's ledger",
		Args:  cli.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.job = args[0]
			if err := p.connect(); err != nil {
				return err
			}
			st, err := p.book().Status(cmd.Context(), args[0])
			if errors.Is(err, ledger.ErrUnknown) {
				return fmt.Errorf("%w: it was never enqueued, or its ledger was deleted %s after its end (ledger.keep)", err, p.cfg.Ledger.Keep)
			}
			if err != nil {
				return err
			}
			if p.json {
				return p.print(st)
			}
			return p.printStatus(st)
		},
	}
}

func (p *program) book() *ledger.Store { return &ledger.Store{Redis: p.rdb, Keep: p.cfg.Ledger.Keep} }

// follow waits for the job's end and shows the progress.
func (p *program) follow(ctx context.Context, job string, accepted int) (ledger.Status, error) {
	bar := p.bar(accepted)
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for {
		st, err := p.book().Status(ctx, job)
		if err != nil {
			return st, err
		}
		if bar != nil {
			_ = bar.Set(st.Accepted - st.Pending)
		}
		if st.Ended() {
			if bar != nil {
				_ = bar.Finish()
				fmt.Fprintln(p.err)
			}
			return st, nil
		}
		select {
		case <-ctx.Done():
			return st, fmt.Errorf("stopped waiting for job %s; the workers continue it: see enqueue status %s", job, job)
		case <-t.C:
		}
	}
}

// bar returns the progress bar; nil if stderr is not a terminal.
func (p *program) bar(total int) *progressbar.ProgressBar {
	f, ok := p.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.err), progressbar.OptionSetDescription("tokens"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("tokens"),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

// defaultJobsLimit is the default of --limit.
const defaultJobsLimit = 100

// jobStates are the values of --state.
func jobStates() []string { return []string{wire.Running, wire.Done, wire.Canceling} }

func (p *program) jobs() *cobra.Command {
	f := status.JobFilter{Limit: defaultJobsLimit}
	c := &cobra.Command{
		Use:   "jobs",
		Short: "List open jobs, and ended jobs of more than one token",
		Long: `jobs prints a line for each job, newest first: open jobs, and ended jobs of more
than one token for as long as their ledgers are kept. If there are more open jobs
of one token than --limit, it reads those that expire last.

A job is stuck if it has pending tokens and no task that could send them. Workers
repair that within two minutes. --stuck lists the jobs that still wait for it; if
they stay stuck, check that workers run. The command only reads Redis.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.State != "" && !slices.Contains(jobStates(), f.State) {
				return usage(fmt.Errorf("--state: %q is not a state: want one of %s", text.Name(f.State), strings.Join(jobStates(), ", ")))
			}
			if f.Limit < 1 {
				return usage(errors.New("--limit: want at least 1"))
			}
			if err := p.connect(); err != nil {
				return err
			}
			all, err := (&status.JobReader{Redis: p.rdb}).List(cmd.Context(), f)
			if err != nil {
				return fmt.Errorf("list jobs: %w", err)
			}
			return p.printJobs(all)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.App, "app", "", "only of this `APP`")
	fl.StringVar(&f.State, "state", "", "only in this `STATE`: running, done or canceled")
	fl.BoolVar(&f.Stuck, "stuck", false, "only jobs with pending tokens that no task could send")
	fl.IntVar(&f.Limit, "limit", defaultJobsLimit, "at most this `NUMBER` of jobs")
	return c
}

// printJobs prints a line for each job.
func (p *program) printJobs(all []status.Job) error {
	if p.json {
		out := newLines(p.out)
		for _, j := range all {
			if err := out.print(j); err != nil {
				return err
			}
		}
		return out.flush()
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tAPP\tSTATE\tACCEPTED\tPENDING\tCREATED\tENDED")
	for _, j := range all {
		state := j.State
		if j.Stuck {
			state += ", stuck"
		}
		text.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", j.Job, j.App, state, j.Accepted, j.Pending, formatTime(j.Created), formatTime(j.Ended))
	}
	return w.Flush()
}

// formatTime returns a time in human-readable form; "-" for none.
func formatTime(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

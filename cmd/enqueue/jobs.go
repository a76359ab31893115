package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

// jobsShown is how many jobs are listed unless --limit says otherwise.
const jobsShown = 100

// jobStates are what --state takes.
func jobStates() []string { return []string{wire.Running, wire.Done, wire.Canceling} }

func (a *app) jobs() *cobra.Command {
	f := status.JobFilter{Limit: jobsShown}
	c := &cobra.Command{
		Use:   "jobs",
		Short: "List jobs: the open ones, and ended ones of more than one token",
		Long: `jobs prints a line for each job, the newest first: open ones, and ended ones of
more than one token for as long as their ledgers are kept. Of more open jobs of
one token than --limit it looks at those that expire last.

A job is stuck if tokens are pending and no task could send them. A worker ends
that within two minutes; with --stuck it shows what waits for that, or why no
worker looks. It reads Redis only.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.State != "" && !slices.Contains(jobStates(), f.State) {
				return usage(fmt.Errorf("--state: %q is not a state: want one of %s", text.Name(f.State), strings.Join(jobStates(), ", ")))
			}
			if f.Limit < 1 {
				return usage(errors.New("--limit: want a number over 0"))
			}
			if err := a.connect(); err != nil {
				return err
			}
			all, err := (&status.JobReader{Redis: a.rdb}).List(cmd.Context(), f)
			if err != nil {
				return fmt.Errorf("list jobs: %w", err)
			}
			return a.tellJobs(all)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.App, "app", "", "only of this app")
	fl.StringVar(&f.State, "state", "", "only in this state: running, done or canceled")
	fl.BoolVar(&f.Stuck, "stuck", false, "only with pending tokens that no task could send")
	fl.IntVar(&f.Limit, "limit", jobsShown, "at most so many")
	return c
}

// tellJobs prints a line for each job.
func (a *app) tellJobs(all []status.Job) error {
	if a.json {
		out := newLines(a.out)
		for _, j := range all {
			if err := out.print(j); err != nil {
				return err
			}
		}
		return out.flush()
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tAPP\tSTATE\tACCEPTED\tPENDING\tCREATED\tENDED")
	for _, j := range all {
		state := j.State
		if j.Stuck {
			state += ", stuck"
		}
		text.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", j.Job, j.App, state, j.Accepted, j.Pending, when(j.Created), when(j.Ended))
	}
	return w.Flush()
}

// when is a time for people, - for none.
func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

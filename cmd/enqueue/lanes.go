package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func (p *program) lanes() *cobra.Command {
	return &cobra.Command{
		Use:   "lanes",
		Short: "Show every lane: waiting tasks, rates, pauses",
		Long: `lanes shows every lane of the configured vendors: how many tasks wait (in
brackets: how many of them for a later time) and are in flight, and how long the
oldest task that is due has waited. For each app it shows the configured rate and
the rate that slow-downs have left, what pauses the app until when, and which
jobs are parked because of a configuration error that concerns only them. The
command only reads Redis.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.connect(); err != nil {
				return err
			}
			all, err := (&status.LaneReader{Redis: p.rdb}).Lanes(cmd.Context(), account.Open(p.cfg, registry.All(), nil).All())
			if err != nil {
				return err
			}
			if !p.json {
				return printLanes(p.out, all, time.Now())
			}
			for _, l := range all {
				if err := p.print(l); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// printLanes prints a line for each lane and app. An app with several pauses or
// parked jobs has a line for each.
func printLanes(out io.Writer, all []status.Lane, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LANE\tWAITING\tIN FLIGHT\tOLDEST\tAPP\tRATE\tPAUSED\tUNTIL\tWHY")
	for _, l := range all {
		left := fmt.Sprintf("%s\t%s\t%d\t%s", l.Lane, waiting(l), l.InFlight, oldest(l))
		if l.PausedInUI {
			fmt.Fprintf(w, "%s\t\t\tlane\t\tan operator paused the lane in the UI\n", left)
			left = "\t\t\t"
		}
		for _, app := range l.Apps {
			mid := app.App + "\t" + rate(app)
			for _, p := range app.Pauses {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", left, mid, pauseName(p), until(p, now), text.Line(p.Why))
				left, mid = "\t\t\t", "\t"
			}
			for _, p := range app.Parked[:min(len(app.Parked), maxParkedShown)] {
				fmt.Fprintf(w, "%s\t%s\tparked\t%s\tjob %s: %s\n", left, mid, parkedUntil(p, now), text.Line(p.Job), text.Line(p.Code))
				left, mid = "\t\t\t", "\t"
			}
			if more := app.AllParked - maxParkedShown; more > 0 {
				fmt.Fprintf(w, "%s\t%s\tparked\t\t%d more jobs: --json lists them\n", left, mid, more)
			}
			if len(app.Pauses)+app.AllParked == 0 {
				fmt.Fprintf(w, "%s\t%s\t\t\t\n", left, mid)
			}
			left = "\t\t\t"
		}
		if len(l.Apps) == 0 {
			fmt.Fprintf(w, "%s\t\t\t\t\t%s\n", left, "no app is configured for this vendor")
		}
	}
	return w.Flush()
}

// maxParkedShown is the most parked jobs of an app in the table.
const maxParkedShown = 5

// parkedUntil is the time at which a job's next probe is allowed.
func parkedUntil(p status.Parked, now time.Time) string {
	if !p.Until.After(now) {
		return status.ProbeDue
	}
	return p.Until.Format("15:04:05")
}

func waiting(l status.Lane) string {
	if l.Later == 0 {
		return strconv.Itoa(l.Waiting)
	}
	return fmt.Sprintf("%d (%d later)", l.Waiting, l.Later)
}

func oldest(l status.Lane) string {
	if l.Oldest == 0 {
		return "-"
	}
	return time.Duration(l.Oldest * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func rate(a status.App) string {
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	switch {
	case a.Rate == 0:
		return "no limit"
	case a.Effective < a.Rate:
		return fmt.Sprintf("%.0f of %s %s/s", a.Effective, number(a.Rate), a.Unit)
	}
	return fmt.Sprintf("%s %s/s", number(a.Rate), a.Unit)
}

func pauseName(p status.Pause) string {
	if p.Bucket != "" {
		return p.Kind + " " + p.Bucket
	}
	return p.Kind
}

// until shows the date only if the pause is long.
func until(p status.Pause, now time.Time) string {
	if p.State != status.Paused {
		return p.State
	}
	if p.Until.Sub(now) < 12*time.Hour {
		return p.Until.Format("15:04:05")
	}
	return p.Until.Format("2006-01-02 15:04 MST")
}

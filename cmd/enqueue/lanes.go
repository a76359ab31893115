package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func (a *app) lanes() *cobra.Command {
	return &cobra.Command{
		Use:   "lanes",
		Short: "Show every lane: what waits, how fast it goes, what it waits for",
		Long: `lanes shows every lane of the configured vendors: how many tasks wait (those
that wait for a later time in brackets) and are in flight, how long the oldest
that could go has waited, and for each app its rate, what slow-downs have left
of it, what it is paused by until when, and which of its jobs are parked because
of a configuration error of their own. It reads Redis only.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.connect(); err != nil {
				return err
			}
			all, err := (&status.LaneReader{Redis: a.rdb}).Lanes(cmd.Context(), account.Open(a.cfg, registry.All(), nil).All())
			if err != nil {
				return err
			}
			if !a.json {
				return tellLanes(a.out, all, time.Now())
			}
			for _, l := range all {
				if err := a.print(l); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// tellLanes prints a line for each lane and app, and one more for each further
// thing that the app waits for.
func tellLanes(out io.Writer, all []status.Lane, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LANE\tWAITING\tIN FLIGHT\tOLDEST\tAPP\tRATE\tPAUSED\tUNTIL\tWHY")
	for _, l := range all {
		left := fmt.Sprintf("%s\t%s\t%d\t%s", l.Lane, waiting(l), l.InFlight, oldest(l))
		if l.Held {
			fmt.Fprintf(w, "%s\t\t\theld\t\tan operator paused the lane in the UI\n", left)
			left = "\t\t\t"
		}
		for _, app := range l.Apps {
			mid := app.App + "\t" + rate(app)
			for _, h := range app.Holds {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", left, mid, held(h), until(h, now), text.Line(h.Why))
				left, mid = "\t\t\t", "\t"
			}
			for _, p := range app.Parked[:min(len(app.Parked), shownParked)] {
				fmt.Fprintf(w, "%s\t%s\tparked\t%s\tjob %s: %s\n", left, mid, parkedUntil(p, now), text.Line(p.Job), text.Line(p.Code))
				left, mid = "\t\t\t", "\t"
			}
			if more := app.AllParked - shownParked; more > 0 {
				fmt.Fprintf(w, "%s\t%s\tparked\t\t%d more jobs: see --json\n", left, mid, more)
			}
			if len(app.Holds)+app.AllParked == 0 {
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

// shownParked is the most parked jobs of an app that a person is shown.
const shownParked = 5

// parkedUntil is when a job's next probe may go.
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

func held(h status.Hold) string {
	if h.Bucket != "" {
		return h.Kind + " " + h.Bucket
	}
	return h.Kind
}

// until is the day only where it is not today.
func until(h status.Hold, now time.Time) string {
	if h.State != status.Paused {
		return h.State
	}
	if h.Until.Sub(now) < 12*time.Hour {
		return h.Until.Format("15:04:05")
	}
	return h.Until.Format("2006-01-02 15:04 MST")
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

// deadLine is a dead letter as list prints it: the fields of the stream.
type deadLine struct {
	ID       string    `json:"id"`
	App      string    `json:"app"`
	Vendor   string    `json:"vendor"`
	Job      string    `json:"job"`
	Code     string    `json:"code"`
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail"`
	Class    string    `json:"class"`
	Attempts int       `json:"attempts"`
	At       time.Time `json:"at"`
	Tokens   string    `json:"tokens"` // newline-separated
}

// deadWhole is a dead letter with what its replay needs.
type deadWhole struct {
	deadLine
	Message  json.RawMessage `json:"message"`
	Priority string          `json:"priority"`
	Delivery string          `json:"delivery"`
	Start    time.Time       `json:"start"`
	Expires  time.Time       `json:"expires"`
	Key      string          `json:"key,omitempty"`
}

func line(e *deadletter.Entry) deadLine {
	return deadLine{e.ID, e.App, e.Vendor, e.Job, e.Code, string(e.Reason), e.Detail, e.Class, e.Attempts, e.At, e.Tokens}
}

func whole(e *deadletter.Entry) deadWhole {
	message := json.RawMessage(e.Message)
	if !json.Valid(message) {
		message, _ = json.Marshal(e.Message) // a string can always be encoded
	}
	return deadWhole{line(e), message, e.Priority, e.Delivery, e.Start, e.Expires, e.Key}
}

// listDead prints a line for each dead letter. The table is laid out anew every
// so many lines, so that a long one is never held in memory.
func (a *app) listDead(ctx context.Context, s *deadletter.Store, f wire.EntryFilter) error {
	const together = 500
	out, n := newLines(a.out), 0
	w := tabwriter.NewWriter(out.b, 0, 0, 2, ' ', 0)
	err := s.Each(ctx, f, func(e *deadletter.Entry) error {
		if a.json {
			return out.print(line(e))
		}
		if n == 0 {
			fmt.Fprintln(w, "ID\tDIED\tAPP\tVENDOR\tJOB\tCODE\tATTEMPTS\tTOKENS\tFIRST\tREASON\tDETAIL")
		} else if n%together == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		n++
		text.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", e.ID, e.At.Format(time.RFC3339), e.App, e.Vendor, e.Job, e.Code,
			e.Attempts, e.Count(), text.Masked(e.List()[0]), e.Reason, e.Detail)
		return nil
	})
	return errors.Join(err, w.Flush(), out.flush())
}

// tellDead shows one dead letter to a person.
func (a *app) tellDead(e *deadletter.Entry) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	text.Fprintf(w, "dead letter %s\n", e.ID)
	for _, f := range [][2]string{
		{"app", e.App}, {"vendor", e.Vendor}, {"job", e.Job}, {"code", e.Code}, {"reason", string(e.Reason)}, {"detail", e.Detail}, {"class", e.Class},
		{"attempts", fmt.Sprint(e.Attempts)}, {"died", e.At.Format(time.RFC3339)}, {"priority", e.Priority}, {"delivery", e.Delivery},
		{"start", e.Start.Format(time.RFC3339)}, {"expires", e.Expires.Format(time.RFC3339)}, {"message", e.Message},
		{"tokens", fmt.Sprint(e.Count())},
	} {
		text.Fprintf(w, "  %s\t%s\n", f[0], f[1])
	}
	const shown = 10
	for i, t := range e.List() {
		if i == shown {
			text.Fprintf(w, "  \t… and %d more: --json lists all\n", e.Count()-shown)
			break
		}
		text.Fprintf(w, "  \t%s\n", text.Masked(t))
	}
	return w.Flush()
}

// tellSum tells what became of dead letters.
func (a *app) tellSum(what string, sum deadletter.Sum) error {
	if a.json {
		return a.print(sum)
	}
	_, err := text.Fprintf(a.out, "%d dead letters with %d tokens %s\n", sum.Entries, sum.Tokens, what)
	return err
}

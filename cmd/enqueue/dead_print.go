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

// deadLetter is a dead letter as list prints it: the fields of the stream entry.
type deadLetter struct {
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

// fullDeadLetter also has the fields that a replay needs.
type fullDeadLetter struct {
	deadLetter
	Message  json.RawMessage `json:"message"`
	Priority string          `json:"priority"`
	Delivery string          `json:"delivery"`
	Start    time.Time       `json:"start"`
	Expires  time.Time       `json:"expires"`
	Key      string          `json:"key,omitempty"`
}

func deadLetterOf(e *deadletter.Entry) deadLetter {
	return deadLetter{e.ID, e.App, e.Vendor, e.Job, e.Code, string(e.Reason), e.Detail, e.Class, e.Attempts, e.At, e.Tokens}
}

func fullDeadLetterOf(e *deadletter.Entry) fullDeadLetter {
	message := json.RawMessage(e.Message)
	if !json.Valid(message) {
		message, _ = json.Marshal(e.Message) // a string can always be encoded
	}
	return fullDeadLetter{deadLetterOf(e), message, e.Priority, e.Delivery, e.Start, e.Expires, e.Key}
}

// listDead prints a line for each dead letter. Column widths are computed again
// every rowsPerTable lines, so that a long list does not have to fit in memory.
func (p *program) listDead(ctx context.Context, s *deadletter.Store, f wire.EntryFilter) error {
	const rowsPerTable = 500
	out, n := newLines(p.out), 0
	w := tabwriter.NewWriter(out.b, 0, 0, 2, ' ', 0)
	err := s.Each(ctx, f, func(e *deadletter.Entry) error {
		if p.json {
			return out.print(deadLetterOf(e))
		}
		if n == 0 {
			fmt.Fprintln(w, "ID\tDIED\tAPP\tVENDOR\tJOB\tCODE\tATTEMPTS\tTOKENS\tFIRST\tREASON\tDETAIL")
		} else if n%rowsPerTable == 0 {
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

// printDead prints one dead letter in human-readable form.
func (p *program) printDead(e *deadletter.Entry) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
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
			text.Fprintf(w, "  \t… and %d more: --json lists all of them\n", e.Count()-shown)
			break
		}
		text.Fprintf(w, "  \t%s\n", text.Masked(t))
	}
	return w.Flush()
}

// printSum prints how many dead letters were handled.
func (p *program) printSum(what string, sum deadletter.Sum) error {
	if p.json {
		return p.print(sum)
	}
	_, err := text.Fprintf(p.out, "%d dead letters with %d tokens %s\n", sum.Entries, sum.Tokens, what)
	return err
}

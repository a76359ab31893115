package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

// print writes one JSON value and a newline to stdout.
func (a *app) print(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// lines writes JSON lines through a buffer.
type lines struct {
	b *bufio.Writer
	e *json.Encoder
}

func newLines(w io.Writer) *lines {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return &lines{b, e}
}

func (l *lines) print(v any) error { return l.e.Encode(v) }
func (l *lines) flush() error      { return l.b.Flush() }

// tellSent tells a person what became of a job at the door.
func (a *app) tellSent(r push.Result) {
	text.Fprintf(a.out, "job %s: %d tokens accepted in %d chunks, %d refused\n", r.Job, r.Accepted, r.Chunks, len(r.Refused))
	const shown = 10
	for i, f := range r.Refused {
		if i == shown {
			text.Fprintf(a.out, "  … and %d more: --json lists all\n", len(r.Refused)-shown)
			break
		}
		text.Fprintf(a.out, "  refused: number %d (%s) %s\n", f.Position, f.Vendor, f.Reason)
	}
}

// tellStatus shows a ledger as a table.
func (a *app) tellStatus(st ledger.Status) error {
	text.Fprintf(a.out, "job %s of app %s: %s\n", st.Job, st.App, st.State)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	text.Fprintf(w, "  accepted\t%d\t\n", st.Accepted)
	for _, o := range append(wire.Outcomes(), wire.Pending) {
		text.Fprintf(w, "  %s\t%d\t\n", o, st.Count(o))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r := st.Receipts; r != nil {
		text.Fprintf(a.out, "receipts: %d arrived, %d clicked, %d failed\n", r.Arrived, r.Clicked, r.Failed)
	}
	if len(st.Codes) == 0 {
		return nil
	}
	fmt.Fprintln(a.out, "answers, by token:")
	w = tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, code := range slices.Sorted(maps.Keys(st.Codes)) {
		text.Fprintf(w, "  %s\t%d\n", code, st.Codes[code])
	}
	return w.Flush()
}

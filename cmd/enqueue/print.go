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
func (p *program) print(v any) error {
	e := json.NewEncoder(p.out)
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

// printSent prints how many tokens were accepted and why others were refused.
func (p *program) printSent(r push.Result) {
	text.Fprintf(p.out, "job %s: %d tokens accepted in %d chunks, %d refused\n", r.Job, r.Accepted, r.Chunks, len(r.Refused))
	const shown = 10
	for i, f := range r.Refused {
		if i == shown {
			text.Fprintf(p.out, "  … and %d more: --json lists all of them\n", len(r.Refused)-shown)
			break
		}
		text.Fprintf(p.out, "  refused: number %d (%s) %s\n", f.Position, f.Vendor, f.Reason)
	}
}

// printStatus prints a ledger as a table.
func (p *program) printStatus(st ledger.Status) error {
	text.Fprintf(p.out, "job %s of app %s: %s\n", st.Job, st.App, st.State)
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	text.Fprintf(w, "  accepted\t%d\t\n", st.Accepted)
	for _, o := range append(wire.Outcomes(), wire.Pending) {
		text.Fprintf(w, "  %s\t%d\t\n", o, st.Count(o))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r := st.Receipts; r != nil {
		text.Fprintf(p.out, "receipts: %d arrived, %d clicked, %d failed\n", r.Arrived, r.Clicked, r.Failed)
	}
	if len(st.Codes) == 0 {
		return nil
	}
	fmt.Fprintln(p.out, "answers, by token:")
	w = tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, code := range slices.Sorted(maps.Keys(st.Codes)) {
		text.Fprintf(w, "  %s\t%d\n", code, st.Codes[code])
	}
	return w.Flush()
}

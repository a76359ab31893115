package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/postrider/postrider/internal/demo"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

func (p *program) demo() *cobra.Command {
	var tokens int
	var listen string
	var exit bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run everything in one process and send a job; needs no Redis",
		Long: `demo starts an embedded Redis, the vendor simulator with some faults switched
on, a worker and its UI, all in this process, and sends a job to all vendors.
When the process ends, all data is lost.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tokens < 1 {
				return usageError{errors.New("--tokens: want at least 1")}
			}
			if host, _, err := net.SplitHostPort(listen); err != nil || !httpx.Loopback(host) {
				return usageError{fmt.Errorf("--listen: %q is not host:port with a loopback address, like 127.0.0.1:8080", listen)}
			}
			return p.runDemo(cmd.Context(), demo.Options{Listen: listen, Log: p.demoLog()}, tokens, exit)
		},
	}
	c.Flags().IntVar(&tokens, "tokens", 20000, "`NUMBER` of tokens in the job")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "`ADDRESS` of the UI as host:port; port 0 takes a free one")
	c.Flags().BoolVar(&exit, "exit", false, "exit when the job has ended")
	return c
}

// demoLog shows only errors, next to the progress bar.
func (p *program) demoLog() zerolog.Logger {
	return zerolog.New(zerolog.ConsoleWriter{Out: p.err, TimeFormat: "15:04:05"}).Level(zerolog.ErrorLevel).With().Timestamp().Logger()
}

func (p *program) runDemo(ctx context.Context, o demo.Options, tokens int, exit bool) (err error) {
	d, err := demo.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	fmt.Fprintf(p.err, "embedded redis, simulator and worker are running in this process\n  UI         %s\n  metrics    %s/metrics\n  simulator  %s/_simulator/report\n",
		d.UI, d.UI, d.Simulator)
	start := time.Now()
	r, err := d.Send(ctx, tokens)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.err, "job %s: %d tokens enqueued in %d chunks\n", r.Job, r.Accepted, r.Chunks)
	st, err := p.watch(ctx, d, r.Job, r.Accepted)
	if err != nil {
		return err
	}
	if err := p.printDemo(d, st, time.Since(start)); err != nil {
		return err
	}
	if seen := d.Report(); st.Delivered == 0 || seen.Violations() > 0 {
		return fmt.Errorf("the demo failed: %d requests violated a vendor's protocol, %d tokens were delivered", seen.Violations(), st.Delivered)
	}
	if exit {
		return nil
	}
	fmt.Fprintln(p.err, "press Ctrl-C to end the demo")
	<-ctx.Done()
	return nil
}

// watch follows the job to its end.
func (p *program) watch(ctx context.Context, d *demo.Demo, job string, accepted int) (ledger.Status, error) {
	bar := progressbar.NewOptions(accepted, progressbar.OptionSetWriter(p.err), progressbar.OptionSetDescription("tokens"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("tokens"),
		progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionSetVisibility(isTerminal(p.err)))
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		st, err := d.Status(ctx, job)
		if err != nil {
			return st, err
		}
		_ = bar.Set(st.Accepted - st.Pending)
		if st.Ended() {
			_ = bar.Finish()
			fmt.Fprintln(p.err)
			return st, nil
		}
		select {
		case <-ctx.Done():
			return st, errors.New("the demo was interrupted before its job ended")
		case <-t.C:
		}
	}
}

// printDemo prints the job's ledger.
func (p *program) printDemo(d *demo.Demo, st ledger.Status, took time.Duration) error {
	if p.json {
		return json.NewEncoder(p.out).Encode(struct {
			ledger.Status
			UI        string `json:"ui"`
			Simulator string `json:"simulator"`
		}{st, d.UI, d.Simulator})
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "accepted\t%d\t\n", st.Accepted)
	for _, o := range append(wire.Outcomes(), wire.Pending) {
		fmt.Fprintf(w, "%s\t%d\t\n", o, st.Count(o))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nended in %.1f s; answers, by token:\n", took.Seconds())
	w = tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, code := range slices.Sorted(maps.Keys(st.Codes)) {
		fmt.Fprintf(w, "  %s\t%d\n", code, st.Codes[code])
	}
	return w.Flush()
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

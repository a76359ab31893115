package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
)

// sendFlags are the flags of send.
type sendFlags struct {
	messageFlags
	targets           []string
	file, job, jobs   string
	id, app, priority string
	delivery          string
	at, expires       string
	window            time.Duration
	wait              bool
}

func (p *program) send() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use:   "send --app A (--target V:T)… | --targets FILE | --job FILE | --jobs FILE",
		Short: "Enqueue a job, or a stream of jobs",
		Example: `  enqueue send --app shop --target huawei:TOKEN --title Shipped --body "Your order is on its way"
  enqueue send --app shop --targets tokens.csv.gz --message message.json --priority bulk --wait
  enqueue send --job job.json
  generate-jobs | enqueue send --jobs -`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runSend(cmd, &f) },
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.targets, "target", nil, "a target as `VENDOR:TOKEN`; may be repeated")
	fl.StringVar(&f.file, "targets", "", "`FILE` of targets, CSV (vendor,token) or NDJSON, may be gzipped; - is stdin")
	fl.StringVar(&f.job, "job", "", "`FILE` with one complete job as JSON; - is stdin")
	fl.StringVar(&f.jobs, "jobs", "", "`FILE` with a complete job as JSON on each line; - is stdin")
	fl.StringVar(&f.id, "id", "", "`ID` of the job, its idempotency key (default: a random one)")
	fl.StringVar(&f.app, "app", "", "`APP` that the job belongs to")
	fl.StringVar(&f.priority, "priority", "", "`PRIORITY`: high, normal or bulk (default normal)")
	fl.StringVar(&f.delivery, "delivery", "", "`GUARANTEE`: at-least-once or at-most-once (default: the account's)")
	fl.StringVar(&f.at, "at", "", "do not send before this `TIME`: RFC 3339, or a duration from now like 2h")
	fl.StringVar(&f.expires, "expires", "", "do not send after this `TIME`: RFC 3339, or a duration from now like 2h")
	fl.DurationVar(&f.window, "dedup-window", push.DefaultDedupWindow, "`DURATION` for which the id of a finished job is refused as a duplicate")
	fl.BoolVar(&f.wait, "wait", false, "wait until the job has ended; exit 4 if not every token was delivered")
	f.register(fl)
	return c
}

// sources are the flags that say what is sent.
var sources = []string{"target", "targets", "job", "jobs"}

// checkSource demands exactly one of the sources. Cobra's flag groups would
// name their internals in the error.
func checkSource(cmd *cobra.Command) error {
	var given []string
	for _, name := range sources {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	switch len(given) {
	case 0:
		return errors.New("nothing to send: give --target VENDOR:TOKEN, --targets FILE, --job FILE or --jobs FILE; see enqueue send --help")
	case 1:
		return nil
	}
	return fmt.Errorf("%s do not go together: give one of them", strings.Join(given, " and "))
}

func (p *program) runSend(cmd *cobra.Command, f *sendFlags) error {
	ctx := cmd.Context()
	if err := checkSource(cmd); err != nil {
		return usage(err)
	}
	if f.window <= 0 {
		return usage(errors.New("--dedup-window: want a duration longer than 0, like 24h"))
	}
	if err := f.checkExclusive(cmd); err != nil {
		return usage(err)
	}
	client, err := p.client(push.Options{DedupWindow: f.window})
	if err != nil {
		return err
	}
	if f.jobs != "" {
		return p.sendMany(ctx, client, f.jobs)
	}
	var r push.Result
	if f.file != "" {
		r, err = p.sendFile(ctx, client, f)
	} else {
		r, err = p.sendJob(ctx, client, f)
	}
	if err != nil {
		return p.unlessCanceled(ctx, err)
	}
	p.job = r.Job
	return p.sent(ctx, r, f.wait)
}

// checkExclusive refuses flags whose value a complete job already contains.
func (f *sendFlags) checkExclusive(cmd *cobra.Command) error {
	source := "--job"
	if f.jobs != "" {
		source = "--jobs"
		if f.wait {
			return errors.New("--wait waits for one job: it does not go with --jobs")
		}
	} else if f.job == "" {
		return nil
	}
	for _, name := range append([]string{"id", "app", "priority", "delivery", "at", "expires"}, messageFlagNames...) {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s does not go with %s: the job itself contains the value", name, source)
		}
	}
	return nil
}

// header returns the job that the flags describe, without its targets.
func (f *sendFlags) header(ctx context.Context, p *program) (push.Job, error) {
	m, err := f.message(ctx, p)
	if err != nil {
		return push.Job{}, err
	}
	j := push.Job{
		ID: f.id, App: f.app, Priority: push.Priority(f.priority), Delivery: push.Delivery(f.delivery), Message: m,
	}
	if j.NotBefore, err = parseTime("at", f.at, 1); err != nil {
		return push.Job{}, err
	}
	j.ExpiresAt, err = parseTime("expires", f.expires, 1)
	return j, err
}

func (p *program) sendJob(ctx context.Context, client *push.Client, f *sendFlags) (push.Result, error) {
	var j push.Job
	var err error
	if f.job != "" {
		var data []byte
		if data, err = p.read(ctx, f.job); err == nil {
			if j, err = push.DecodeJob(data); err != nil {
				err = fmt.Errorf("%s: %w", sourceName(f.job), err)
			}
		}
	} else if j, err = f.header(ctx, p); err == nil {
		j.Targets, err = f.split()
	}
	if err != nil {
		return push.Result{}, err
	}
	p.job = j.ID
	return client.Enqueue(ctx, j)
}

// split reads the --target flags into tokens by vendor.
func (f *sendFlags) split() (map[string][]string, error) {
	all := map[string][]string{}
	for i, t := range f.targets {
		vendor, token, ok := strings.Cut(t, ":")
		if !ok || vendor == "" {
			return nil, usage(fmt.Errorf("--target number %d is not VENDOR:TOKEN, like huawei:IQAAAA…", i+1))
		}
		all[vendor] = append(all[vendor], token)
	}
	return all, nil
}

// sendFile streams a file of targets.
func (p *program) sendFile(ctx context.Context, client *push.Client, f *sendFlags) (r push.Result, err error) {
	j, err := f.header(ctx, p)
	if err != nil {
		return r, err
	}
	p.job = j.ID
	st, err := client.Open(j)
	if err != nil {
		return r, err
	}
	in, done, err := p.open(ctx, f.file)
	if err != nil {
		return r, err
	}
	defer done()
	last := ""
	err = intake.Targets(in, func(line int, vendor, token []byte) error {
		if string(vendor) != last { // this comparison does not allocate
			last = string(vendor)
		}
		return st.Add(ctx, line, last, token)
	})
	if err != nil {
		// Also when ctx was canceled: no part of the job may remain in Redis.
		return r, errors.Join(fmt.Errorf("%s: %w", sourceName(f.file), err), st.Abort(context.WithoutCancel(ctx)))
	}
	if r, err = st.Commit(ctx); err != nil && st.Unsealed() {
		err = errors.Join(err, st.Abort(context.WithoutCancel(ctx)))
	}
	return r, err
}

// sendMany streams jobs and prints a result for each.
func (p *program) sendMany(ctx context.Context, client *push.Client, file string) error {
	in, done, err := p.open(ctx, file)
	if err != nil {
		return err
	}
	defer done()
	sum := jobsSummary{program: p, file: sourceName(file)}
	err = intake.Jobs(ctx, in, client, func(answers []intake.Answer) error {
		out := newLines(p.out)
		for _, r := range answers {
			if codeOf(r.Err) == exitFailed && r.Err != nil {
				return errors.Join(fmt.Errorf("line %d: %w", r.Line, r.Err), out.flush())
			}
			sum.count(r)
			if err := out.print(r); err != nil {
				return err
			}
		}
		return out.flush()
	})
	sum.report()
	if err != nil {
		return fmt.Errorf("%s: %w", sourceName(file), err)
	}
	return sum.exit()
}

// open opens a file, or stdin for "-". Reading it ends with ctx.
func (p *program) open(ctx context.Context, file string) (io.Reader, func(), error) {
	if file == "-" {
		return &interruptible{ctx: ctx, r: p.in}, func() {}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, usage(err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close() // nothing was written
		return nil, nil, usage(fmt.Errorf("%s is a directory: name a file", file))
	}
	return &interruptible{ctx: ctx, r: f}, func() { _ = f.Close() }, nil
}

// sourceName is the name of a file in errors.
func sourceName(file string) string {
	if file == "-" {
		return "stdin"
	}
	return file
}

// read reads a complete file.
func (p *program) read(ctx context.Context, file string) ([]byte, error) {
	r, done, err := p.open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer done()
	b, err := intake.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sourceName(file), err)
	}
	return b, nil
}

// sendResult is what send prints; with --wait also the final ledger.
type sendResult struct {
	push.Result
	Status *ledger.Status `json:"status,omitempty"`
}

// sent prints the result and, with --wait, follows the job to its end.
func (p *program) sent(ctx context.Context, r push.Result, wait bool) error {
	out := sendResult{Result: r}
	if !p.json {
		p.printSent(r)
	}
	if wait {
		st, err := p.follow(ctx, r.Job, r.Accepted)
		if err != nil {
			return err
		}
		out.Status = &st
	}
	if p.json {
		if err := p.print(out); err != nil {
			return err
		}
	}
	if out.Status == nil {
		return nil
	}
	if !p.json {
		if err := p.printStatus(*out.Status); err != nil {
			return err
		}
	}
	if out.Status.Delivered < out.Status.Accepted {
		return &exitError{code: exitNotDelivered}
	}
	return nil
}

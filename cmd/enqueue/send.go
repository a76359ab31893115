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

func (a *app) send() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use:   "send --app A (--target V:T)… | --targets FILE | --job FILE | --jobs FILE",
		Short: "Enqueue a job, or a stream of jobs",
		Example: `  enqueue send --app shop --target huawei:TOKEN --title Shipped --body "Your order is on its way"
  enqueue send --app shop --targets tokens.csv.gz --message message.json --priority bulk --wait
  enqueue send --job job.json
  generate-jobs | enqueue send --jobs -`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runSend(cmd, &f) },
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.targets, "target", nil, "a target as VENDOR:TOKEN; may be repeated")
	fl.StringVar(&f.file, "targets", "", "file of targets, CSV (vendor,token) or NDJSON, gzip or not; - is stdin")
	fl.StringVar(&f.job, "job", "", "file with one whole job as JSON; - is stdin")
	fl.StringVar(&f.jobs, "jobs", "", "file with one whole job as JSON a line; - is stdin")
	fl.StringVar(&f.id, "id", "", "the job's id, its idempotency key (default: one is made)")
	fl.StringVar(&f.app, "app", "", "the app that the job belongs to")
	fl.StringVar(&f.priority, "priority", "", "high, normal or bulk (default normal)")
	fl.StringVar(&f.delivery, "delivery", "", "at-least-once or at-most-once")
	fl.StringVar(&f.at, "at", "", "not before this time: RFC 3339, or a duration from now like 2h")
	fl.StringVar(&f.expires, "expires", "", "nothing is sent after this time: RFC 3339, or a duration from now")
	fl.DurationVar(&f.window, "dedup-window", push.DefaultDedupWindow, "how long a finished job's id stays taken")
	fl.BoolVar(&f.wait, "wait", false, "follow the job to its end; exit 4 if not every token was delivered")
	f.register(fl)
	c.MarkFlagsMutuallyExclusive("target", "targets", "job", "jobs")
	c.MarkFlagsOneRequired("target", "targets", "job", "jobs")
	return c
}

func (a *app) runSend(cmd *cobra.Command, f *sendFlags) error {
	ctx := cmd.Context()
	if f.window <= 0 {
		return usage(errors.New("--dedup-window: want a duration over 0, like 24h"))
	}
	if err := f.alone(cmd); err != nil {
		return usage(err)
	}
	client, err := a.client(push.Options{DedupWindow: f.window})
	if err != nil {
		return err
	}
	if f.jobs != "" {
		return a.sendMany(ctx, client, f.jobs)
	}
	var r push.Result
	if f.file != "" {
		r, err = a.sendFile(ctx, client, f)
	} else {
		r, err = a.sendJob(ctx, client, f)
	}
	if err != nil {
		return a.unlessCanceled(ctx, err)
	}
	a.job = r.Job
	return a.sent(ctx, r, f.wait)
}

// alone refuses flags that a whole job already says.
func (f *sendFlags) alone(cmd *cobra.Command) error {
	whole := "--job"
	if f.jobs != "" {
		whole = "--jobs"
		if f.wait {
			return errors.New("--wait follows one job: it does not go with --jobs")
		}
	} else if f.job == "" {
		return nil
	}
	for _, name := range append([]string{"id", "app", "priority", "delivery", "at", "expires"}, messageFlagNames...) {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s does not go with %s: the job says it itself", name, whole)
		}
	}
	return nil
}

// header is the job that the flags describe, without its targets.
func (f *sendFlags) header(ctx context.Context, a *app) (push.Job, error) {
	m, err := f.message(ctx, a)
	if err != nil {
		return push.Job{}, err
	}
	j := push.Job{
		ID: f.id, App: f.app, Priority: push.Priority(f.priority), Delivery: push.Delivery(f.delivery), Message: m,
	}
	if j.NotBefore, err = moment("at", f.at, 1); err != nil {
		return push.Job{}, err
	}
	j.ExpiresAt, err = moment("expires", f.expires, 1)
	return j, err
}

func (a *app) sendJob(ctx context.Context, client *push.Client, f *sendFlags) (push.Result, error) {
	var j push.Job
	var err error
	if f.job != "" {
		var data []byte
		if data, err = a.read(ctx, f.job); err == nil {
			j, err = push.DecodeJob(data)
		}
	} else if j, err = f.header(ctx, a); err == nil {
		j.Targets, err = f.split()
	}
	if err != nil {
		return push.Result{}, err
	}
	a.job = j.ID
	return client.Enqueue(ctx, j)
}

// split reads the --target flags.
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
func (a *app) sendFile(ctx context.Context, client *push.Client, f *sendFlags) (r push.Result, err error) {
	j, err := f.header(ctx, a)
	if err != nil {
		return r, err
	}
	a.job = j.ID
	st, err := client.Open(j)
	if err != nil {
		return r, err
	}
	in, done, err := a.open(ctx, f.file)
	if err != nil {
		return r, err
	}
	defer done()
	last := ""
	err = intake.Targets(in, func(line int, vendor, token []byte) error {
		if string(vendor) != last { // the comparison copies nothing
			last = string(vendor)
		}
		return st.Add(ctx, line, last, token)
	})
	if err != nil {
		// Also when ctx was canceled: nothing may stay behind.
		return r, errors.Join(fmt.Errorf("%s: %w", f.file, err), st.Abort(context.WithoutCancel(ctx)))
	}
	if r, err = st.Commit(ctx); err != nil && st.Unsealed() {
		err = errors.Join(err, st.Abort(context.WithoutCancel(ctx)))
	}
	return r, err
}

// sendMany streams jobs and prints a result for each.
func (a *app) sendMany(ctx context.Context, client *push.Client, file string) error {
	in, done, err := a.open(ctx, file)
	if err != nil {
		return err
	}
	defer done()
	sum := manySum{app: a, file: file}
	err = intake.Jobs(ctx, in, client, func(answers []intake.Answer) error {
		out := newLines(a.out)
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
	sum.tell()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return sum.exit()
}

// open opens a file, or stdin for "-". Reading it ends with ctx.
func (a *app) open(ctx context.Context, file string) (io.Reader, func(), error) {
	if file == "-" {
		return &interruptible{ctx: ctx, r: a.in}, func() {}, nil
	}
	f, err := os.Open(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, nil, usage(err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close() // it was only looked at
		return nil, nil, usage(fmt.Errorf("%s is a directory: want a file", file))
	}
	return &interruptible{ctx: ctx, r: f}, func() { _ = f.Close() }, nil
}

// read reads a file whole.
func (a *app) read(ctx context.Context, file string) ([]byte, error) {
	r, done, err := a.open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer done()
	b, err := intake.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

// sentResult is what send prints: with --wait, the job's end too.
type sentResult struct {
	push.Result
	Status *ledger.Status `json:"status,omitempty"`
}

// sent tells the result and, if asked to, follows the job.
func (a *app) sent(ctx context.Context, r push.Result, wait bool) error {
	out := sentResult{Result: r}
	if !a.json {
		a.tellSent(r)
	}
	if wait {
		st, err := a.follow(ctx, r.Job, r.Accepted)
		if err != nil {
			return err
		}
		out.Status = &st
	}
	if a.json {
		if err := a.print(out); err != nil {
			return err
		}
	}
	if out.Status == nil {
		return nil
	}
	if !a.json {
		if err := a.tellStatus(*out.Status); err != nil {
			return err
		}
	}
	if out.Status.Delivered < out.Status.Accepted {
		return &exitError{code: exitNotDelivered}
	}
	return nil
}

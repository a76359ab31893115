// Command enqueue hands push jobs to postrider and shows what happens to them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// Exit codes.
const (
	exitFailed       = 1
	exitUsage        = 2
	exitDuplicate    = 3
	exitNotDelivered = 4
)

// exitError ends the program with a code. A nil err: it was already printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as a mistake of the user.
func usage(err error) error { return &exitError{exitUsage, err} }

func main() {
	logging.Disable() // go-redis would log every failed dial; the command prints one error
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without signals and os.Exit, so that tests can call it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{in: stdin, out: stdout, err: stderr}
	root := p.root()
	root.SetArgs(protectCode(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !p.begun {
		err = usage(cli.SeeHelp(cmd, err))
	}
	if p.rdb != nil {
		err = errors.Join(err, p.rdb.Close())
	}
	return p.exit(err)
}

// exit prints an error and returns the exit code.
func (p *program) exit(err error) int {
	if err == nil {
		return 0
	}
	code := codeOf(err)
	var e *exitError
	if errors.As(err, &e) && e.err == nil {
		return code
	}
	err = p.explainRedis(err)
	text.Fprintf(p.err, "enqueue: %v\n", err)
	if p.json {
		_ = p.print(intake.Refused(p.job, err))
	}
	return code
}

// codeOf returns the exit code of an error.
func codeOf(err error) int {
	var e *exitError
	var invalid *push.InvalidError
	var line *intake.LineError
	switch {
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, context.Canceled): // an input that was not read to its end may look wrong
		return exitFailed
	case errors.Is(err, push.ErrDuplicate):
		return exitDuplicate
	case errors.As(err, &invalid), errors.Is(err, push.ErrConflict), errors.As(err, &line):
		return exitUsage
	}
	return exitFailed
}

// program is the state that the commands share.
type program struct {
	in       io.Reader
	out, err io.Writer

	file string
	json bool
	job  string // the job that an error refers to
	// begun: flags and arguments are correct. An error before that is wrong usage.
	begun   bool
	version bool

	cfg *config.Config
	rdb redis.UniversalClient
}

func (p *program) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "enqueue",
		Short: "Enqueue push jobs and follow them",
		Long: `enqueue hands push jobs to postrider's workers through Redis and shows what
happens to them.

Exit codes: 0 done; 1 failed; 2 wrong usage, job or configuration; 3 duplicate
job id; 4 --wait ended with tokens that were not delivered.`,
		SilenceUsage: true, SilenceErrors: true, DisableSuggestions: true,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.version {
				return p.printVersion()
			}
			return cmd.Help()
		},
	}
	c.Flags().BoolVar(&p.version, "version", false, "print version, commit and Go version")
	c.PersistentFlags().StringVar(&p.file, "config", "", "configuration `FILE` (default $POSTRIDER_CONFIG, else ./postrider.yaml)")
	c.PersistentFlags().BoolVar(&p.json, "json", false, "print only JSON on stdout")
	c.AddCommand(p.send(), p.status(), p.explain())
	c.AddCommand(p.cancel(), p.dead(), p.invalid(), p.lanes(), p.jobs(), p.versionCommand())
	cli.Prepare(c, p.out)
	p.begin(c)
	return c
}

// begin makes every command set p.begun when it runs.
func (p *program) begin(c *cobra.Command) {
	for _, sub := range c.Commands() {
		p.begin(sub)
		if run := sub.RunE; run != nil {
			sub.RunE = func(cmd *cobra.Command, args []string) error {
				p.begun = true
				return run(cmd, args)
			}
		}
	}
}

// load reads the configuration file.
func (p *program) load() error {
	cfg, err := config.Load(config.Find(p.file, os.Getenv), registry.All(), os.LookupEnv)
	if err != nil {
		return usage(err)
	}
	p.cfg = cfg
	return nil
}

// connect reads the configuration and opens Redis.
func (p *program) connect() error {
	if err := p.load(); err != nil {
		return err
	}
	o, err := p.cfg.RedisOptions()
	if err == nil && o.IsClusterMode {
		err = errors.New("redis.url: a cluster is not supported yet: use one Redis, or Sentinel")
	}
	if err != nil {
		return usage(err)
	}
	p.rdb = redis.NewUniversalClient(o)
	return nil
}

// client connects to Redis and returns the client that enqueues jobs.
func (p *program) client(o push.Options) (*push.Client, error) {
	if err := p.connect(); err != nil {
		return nil, err
	}
	o.Vendors, o.Apps = registry.ForClient(), p.cfg.ForClient()
	return push.NewClient(p.rdb, o)
}

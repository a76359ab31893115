// Command enqueue hands push jobs to postrider and tells what becomes of them.
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

// exitError ends the program with a code. A nil err was already told.
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

// usage marks an error as the user's.
func usage(err error) error { return &exitError{exitUsage, err} }

func main() {
	logging.Disable() // go-redis would tell of every dial; the command tells once
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{in: stdin, out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !a.begun {
		err = usage(fmt.Errorf("%w: see %s --help", err, cmd.CommandPath()))
	}
	if a.rdb != nil {
		err = errors.Join(err, a.rdb.Close())
	}
	return a.exit(err)
}

// exit tells an error and chooses the code.
func (a *app) exit(err error) int {
	if err == nil {
		return 0
	}
	code := codeOf(err)
	var e *exitError
	if errors.As(err, &e) && e.err == nil {
		return code
	}
	text.Fprintf(a.err, "enqueue: %v\n", err)
	if a.json {
		_ = a.print(intake.Refused(a.job, err))
	}
	return code
}

// codeOf is the exit code of an error.
func codeOf(err error) int {
	var e *exitError
	var invalid *push.InvalidError
	var line *intake.LineError
	switch {
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, context.Canceled): // the input may be at fault only because it was not read on
		return exitFailed
	case errors.Is(err, push.ErrDuplicate):
		return exitDuplicate
	case errors.As(err, &invalid), errors.Is(err, push.ErrConflict), errors.As(err, &line):
		return exitUsage
	}
	return exitFailed
}

// app is what the commands share.
type app struct {
	in       io.Reader
	out, err io.Writer

	file string
	json bool
	job  string // the job that is talked of, for errors
	// begun: flags and arguments are right; a fault before that is the user's.
	begun   bool
	version bool

	cfg *config.Config
	rdb redis.UniversalClient
}

func (a *app) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "enqueue",
		Short: "Enqueue push jobs and follow them",
		Long: `enqueue hands push jobs to postrider's workers through Redis and tells what
becomes of them.

Exit codes: 0 done; 1 failed; 2 wrong usage, job or configuration; 3 duplicate
job id; 4 --wait ended with tokens that were not delivered.`,
		SilenceUsage: true, SilenceErrors: true, DisableSuggestions: true,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.version {
				return a.printVersion()
			}
			return cmd.Help()
		},
	}
	c.Flags().BoolVar(&a.version, "version", false, "print version, commit and Go version")
	c.PersistentFlags().StringVar(&a.file, "config", "", "configuration file (default $POSTRIDER_CONFIG, else ./postrider.yaml)")
	c.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON on stdout and nothing else there")
	c.AddCommand(a.send(), a.status(), a.explain())
	c.AddCommand(a.cancel(), a.dead(), a.invalid(), a.lanes(), a.jobs(), a.versionCommand())
	c.SetFlagErrorFunc(flagError)
	a.begin(c)
	return c
}

// noArgs is cobra.NoArgs, which would print a push token that stands where a
// command or flag belongs.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q for %q", text.Name(args[0]), c.CommandPath())
}

// begin has every command note that it runs.
func (a *app) begin(c *cobra.Command) {
	for _, sub := range c.Commands() {
		a.begin(sub)
		if run := sub.RunE; run != nil {
			sub.RunE = func(cmd *cobra.Command, args []string) error {
				a.begun = true
				return run(cmd, args)
			}
		}
	}
}

// load reads the configuration.
func (a *app) load() error {
	cfg, err := config.Load(config.Find(a.file, os.Getenv), registry.All(), os.LookupEnv)
	if err != nil {
		return usage(err)
	}
	a.cfg = cfg
	return nil
}

// connect reads the configuration and opens Redis.
func (a *app) connect() error {
	if err := a.load(); err != nil {
		return err
	}
	o, err := a.cfg.RedisOptions()
	if err == nil && o.IsClusterMode {
		err = errors.New("redis.url: a cluster is not supported yet: use one Redis, or Sentinel")
	}
	if err != nil {
		return usage(err)
	}
	a.rdb = redis.NewUniversalClient(o)
	return nil
}

// client connects and returns what jobs are handed to.
func (a *app) client(o push.Options) (*push.Client, error) {
	if err := a.connect(); err != nil {
		return nil, err
	}
	o.Vendors, o.Apps = registry.ForClient(), a.cfg.ForClient()
	return push.NewClient(a.rdb, o)
}

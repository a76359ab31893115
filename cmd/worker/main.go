// Command worker takes push jobs from Redis and sends them to the vendors.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
	goredis "github.com/redis/go-redis/v9/logging"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/logging"
	"github.com/postrider/postrider/internal/worker"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	goredis.Disable() // until work sets a logger; the other commands report errors themselves
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError marks an error as a mistake of the user: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is main without signals and os.Exit, so that tests can call it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{out: stdout, err: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if !p.begun {
		err = usageError{cli.SeeHelp(cmd, err)}
	}
	text.Fprintf(stderr, "worker: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// program is the state that the commands share.
type program struct {
	out, err io.Writer
	file     string
	json     bool
	version  bool
	// begun: flags and arguments are correct. An error before that is wrong usage.
	begun bool
}

func (p *program) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "worker",
		Short: "Send push jobs to the vendors until SIGTERM",
		Long: `worker takes push jobs from Redis, sends them to the vendors and records the
outcome of every token. On SIGTERM it takes no new tasks, finishes the requests
in flight and requeues the rest. On SIGHUP it reads credentials and rates again.

Exit codes: 0 stopped by a signal, or done; 1 failed; 2 wrong usage or
configuration.`,
		SilenceUsage: true, SilenceErrors: true, DisableSuggestions: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.version {
				return p.printVersion()
			}
			return p.work(cmd.Context())
		},
	}
	c.Flags().BoolVar(&p.version, "version", false, "print version, commit and Go version")
	c.PersistentFlags().StringVar(&p.file, "config", "", "configuration `FILE` (default $POSTRIDER_CONFIG, else ./postrider.yaml)")
	c.PersistentFlags().BoolVar(&p.json, "json", false, "print only JSON on stdout")
	c.AddCommand(p.demo(), p.checkConfig(), p.example(), p.healthcheck(), p.versionCommand())
	for _, sub := range append(c.Commands(), c) {
		sub.Args = cli.NoArgs
	}
	cli.Prepare(c, p.out)
	p.begin(c)
	return c
}

// begin makes every command set p.begun when it runs.
func (p *program) begin(c *cobra.Command) {
	for _, cmd := range append(c.Commands(), c) {
		if run := cmd.RunE; run != nil {
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				p.begun = true
				return run(cmd, args)
			}
		}
	}
}

// load reads the configuration. An error in it is a usage error.
func (p *program) load() (*config.Config, error) {
	cfg, err := config.Load(config.Find(p.file, os.Getenv), registry.All(), os.LookupEnv)
	if err != nil {
		return nil, usageError{err}
	}
	return cfg, nil
}

// work runs a worker until ctx ends.
func (p *program) work(ctx context.Context) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if err := cfg.CheckWorker(); err != nil {
		return usageError{err}
	}
	o, err := cfg.RedisOptions()
	if err == nil && o.IsClusterMode {
		err = errors.New("redis.url: a cluster is not supported yet: use one Redis, or Sentinel")
	}
	if err != nil {
		return usageError{err}
	}
	log := logging.New(p.err, cfg.Log.Level, cfg.Log.Format)
	redis.SetLogger(&logging.RedisClient{Log: log})
	err = requireRedis(ctx, o, log)
	if ctx.Err() != nil {
		return stoppedEarly(log)
	}
	if err != nil {
		return err
	}
	w, err := worker.Start(ctx, worker.Options{Config: cfg, Log: log, Redis: func(n int) redis.UniversalClient {
		own := *o
		own.PoolSize = n
		return redis.NewUniversalClient(&own)
	}})
	if err != nil && ctx.Err() != nil {
		return stoppedEarly(log)
	}
	if err != nil {
		return err
	}
	log.Info().Str("url", w.URL()).Str("overview", w.URL()+"/postrider").Strs("vendors", cfg.Served()).Int("apps", len(cfg.Apps)).Msg("working")
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-hup:
			p.reload(ctx, w, log)
		case <-ctx.Done():
			log.Info().Msg("stopping: requests in flight are finished first")
			err := w.Stop()
			log.Info().Msg("stopped")
			return err
		}
	}
}

// stoppedEarly ends a worker that gets a signal before it has started; no error.
func stoppedEarly(log zerolog.Logger) error {
	log.Info().Msg("stopped before it had started")
	return nil
}

// reload applies a changed configuration. If it is wrong, the old one stays in force.
func (p *program) reload(ctx context.Context, w *worker.Worker, log zerolog.Logger) {
	cfg, err := p.load()
	if err == nil {
		err = cfg.CheckWorker()
	}
	if err != nil {
		log.Error().Err(err).Msg("the new configuration is wrong: the old one stays in force")
		return
	}
	if err := w.Reload(ctx, cfg); err != nil {
		log.Error().Err(err).Msg("end the stops of changed accounts")
	}
	log.Info().Int("apps", len(cfg.Apps)).Msg("credentials and rates were read again")
}

// Command worker takes push jobs off Redis and sends them to the vendors.
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
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError marks an error as the user's.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is main without the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{out: stdout, err: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	text.Fprintf(stderr, "worker: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// program is what the commands share.
type program struct {
	out, err io.Writer
	file     string
	json     bool
	version  bool
}

func (p *program) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "worker",
		Short: "Send push jobs to the vendors until SIGTERM",
		Long: `worker takes push jobs off Redis, sends them to the vendors and records what
became of every token. On SIGTERM it takes nothing new, finishes what is in
flight and gives the rest back. On SIGHUP it reads credentials and rates anew.`,
		Args:         cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.version {
				return p.printVersion()
			}
			return p.work(cmd.Context())
		},
	}
	c.Flags().BoolVar(&p.version, "version", false, "print version, commit and Go version")
	c.PersistentFlags().StringVar(&p.file, "config", "", "configuration file (default $POSTRIDER_CONFIG, else ./postrider.yaml)")
	c.PersistentFlags().BoolVar(&p.json, "json", false, "print JSON on stdout and nothing else there")
	c.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())}
	})
	c.AddCommand(p.demo(), p.checkConfig(), p.healthcheck(), p.versionCommand())
	for _, sub := range append(c.Commands(), c) {
		sub.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("%q is not a command: see %s --help", text.Name(args[0]), cmd.CommandPath())}
			}
			return nil
		}
	}
	return c
}

// load reads the configuration; whatever is wrong with it is the user's.
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
	log := p.logger(cfg.Log)
	redis.SetLogger(redisLog{log, &logging.Limiter{}})
	err = fit(ctx, o, log)
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
			log.Info().Msg("stopping: what is in flight is finished first")
			err := w.Stop()
			log.Info().Msg("stopped")
			return err
		}
	}
}

// stoppedEarly is what becomes of a worker that is told to stop before it works.
func stoppedEarly(log zerolog.Logger) error {
	log.Info().Msg("stopped before it began to work")
	return nil
}

// reload puts a changed configuration in force, unless it is a bad one.
func (p *program) reload(ctx context.Context, w *worker.Worker, log zerolog.Logger) {
	cfg, err := p.load()
	if err == nil {
		err = cfg.CheckWorker()
	}
	if err != nil {
		log.Error().Err(err).Msg("the new configuration is bad: the old one stays in force")
		return
	}
	if err := w.Reload(ctx, cfg); err != nil {
		log.Error().Err(err).Msg("pauses cannot be ended")
	}
	log.Info().Int("apps", len(cfg.Apps)).Msg("credentials and rates were read anew")
}

// redisLog writes the Redis client's log, which tells of every connection that
// is lost or cannot be had, as ours: each thing once in a while.
type redisLog struct {
	zerolog.Logger
	hush *logging.Limiter
}

// Printf is what the client calls.
func (l redisLog) Printf(_ context.Context, format string, v ...any) {
	left, ok := l.hush.Allow(format)
	if !ok {
		return
	}
	e := l.Warn()
	if left > 0 {
		e = e.Int("left_out", left)
	}
	e.Msg(text.Line(fmt.Sprintf("redis: "+format, v...)))
}

// logger writes to stderr in the configured format.
func (p *program) logger(c config.Log) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	out := p.err
	if c.Format == "console" {
		out = zerolog.ConsoleWriter{Out: p.err, TimeFormat: "15:04:05.000"}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

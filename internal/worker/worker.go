// Package worker assembles a worker from a configuration, which it can reload:
// lanes, dispatcher, shared state, what the leading worker does for all (the
// webhook, vendors' lists of invalid tokens), receipts and the HTTP server. It
// only connects these parts; every decision is made in one of them.
package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/clock"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/metrics"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/receipt"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// handlersPerRequest is how many tasks a lane handles at once for each request
// that may be in flight: the additional ones wait to share a request.
const handlersPerRequest = 4

// Options configure a worker.
type Options struct {
	Config *config.Config
	// Redis opens a client that can use n connections at once.
	Redis func(n int) redis.UniversalClient
	Log   zerolog.Logger
	// LookEvery and SweepEvery are the intervals at which one of the workers
	// searches for lost tasks and reads asynq's archive; 0: 5 s and 30 s.
	LookEvery, SweepEvery time.Duration
	// Clock is this machine's clock; nil: time.Now.
	Clock func() time.Time
}

// Worker runs the lanes and the HTTP server.
type Worker struct {
	log      zerolog.Logger
	cfg      *config.Config
	rdb      redis.UniversalClient
	client   *http.Client // to the vendors
	accounts atomic.Pointer[account.Snapshot]
	metrics  *metrics.Metrics
	clock    *clock.Clock
	limiter  *limit.Limiter
	book     *ledger.Store
	dispatch *dispatch.Dispatcher
	served   []string // vendors whose lanes run
	lanes    *queue.Lanes
	ui       queue.UI
	http     *http.Server
	listener net.Listener
	draining atomic.Bool
	access   *accesstoken.Store
	webhook  atomic.Pointer[config.Webhook]
	intake   atomic.Pointer[push.Client]
	// background is started after the lanes.
	background background
	// stopReceipts is nil while receipts are not applied.
	stopReceipts func()
}

// Start connects to Redis, starts the lanes and the HTTP server, and returns.
// The configuration must have passed CheckWorker.
func Start(ctx context.Context, o Options) (*Worker, error) {
	w, err := assemble(ctx, o)
	if err != nil {
		return nil, err
	}
	c := o.Config
	var known []string
	for _, spec := range registry.All() {
		known = append(known, spec.Name)
	}
	keeper := &status.Keeper{Redis: w.rdb, Book: w.book, Recovered: w.metrics.Recovered, Log: w.log}
	w.lanes, err = queue.Start(queue.Config{
		Redis: w.rdb, Block: o.Redis(3 * len(w.served)), Vendors: w.served, Known: known, Handlers: handlers(c),
		ShutdownTimeout: c.Worker.ShutdownTimeout, Log: w.log, Now: w.clock.Now, Blocked: w.clock.Err,
		Handle: w.dispatch.Handle, Fence: w.dispatch.Fence, EndArchived: w.dispatch.EndArchived,
		Lost: w.dispatch.Lost, End: w.dispatch.End, Adopt: w.dispatch.Adopt, Recovered: w.metrics.Recovered,
		Producers: w.completeStale, Passed: keeper.Passed, LookEvery: o.LookEvery, SweepEvery: o.SweepEvery,
	})
	if err != nil {
		return nil, errors.Join(err, w.rdb.Close())
	}
	w.ui = queue.NewUI(func() redis.UniversalClient { return o.Redis(4) })
	if err := w.listen(ctx); err != nil {
		return nil, errors.Join(err, w.Stop())
	}
	w.applyReceipts()
	w.startFeedback()
	w.startIntake()
	w.background.wg.Go(w.hastenIdle)
	w.countJobs()
	return w, nil
}

// handlers is how many tasks of one vendor are handled at once.
func handlers(c *config.Config) int { return c.Worker.Concurrency * handlersPerRequest }

// assemble connects to Redis and builds everything that handles a task. It starts
// no lane, no server, and no goroutine that has to be stopped.
func assemble(ctx context.Context, o Options) (*Worker, error) {
	c := o.Config
	w := &Worker{log: o.Log, cfg: c, metrics: metrics.New(), served: c.Served(), rdb: o.Redis(handlers(c))}
	if err := w.rdb.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("reach redis: %w: check that Redis runs, and redis.url in the configuration", err), w.rdb.Close())
	}
	w.clock = &clock.Clock{Redis: w.rdb, Log: w.log, Wall: o.Clock}
	if err := w.clock.Check(ctx); err != nil {
		w.log.Warn().Err(err).Msg("compare clocks: this machine's clock is used until Redis answers")
	}
	w.client = httpx.NewClient(c.Worker.Concurrency)
	w.use(c)
	together, err := w.rdb.AsyncAutoPipeline()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pipeline: %w", err), w.rdb.Close())
	}
	w.limiter = newLimiter(w.rdb, w.clock.Now)
	w.access = &accesstoken.Store{Redis: w.rdb, Key: c.Redis.Key(), Observe: w.metrics.Grant, Now: w.clock.Now}
	w.book = &ledger.Store{
		Redis: w.rdb, Together: together, Keep: c.Ledger.Keep,
		Guard: ledger.Guard{Min: c.Feedback.Guard.Min, Ratio: c.Feedback.Guard.Ratio}, Now: w.clock.Now,
	}
	w.metrics.Watch(func(ctx context.Context) (map[string][]status.App, error) {
		return (&status.LaneReader{Redis: w.rdb, Now: w.clock.Now}).Apps(ctx, w.known())
	})
	w.dispatch = dispatch.New(dispatch.Config{
		Book:     w.book,
		Gone:     &feed.InvalidTokens{Redis: w.rdb, Now: w.clock.Now},
		Access:   w.access,
		Uploaded: &upload.Store{Redis: w.rdb},
		Gate:     gate{limiter: w.limiter, meter: w.metrics, log: w.log, now: w.clock.Now},
		Meter:    w.metrics,
		Tracer:   &receipt.Store{Redis: w.rdb},
		Account:  w.account,
		Policy:   retry.Policy{Attempts: c.Retry.Attempts, First: c.Retry.First, Max: c.Retry.Max},
		Linger:   c.Worker.Linger,
		Requests: c.Worker.Concurrency,
		Now:      w.clock.Now,
		Log:      w.log,
	})
	return w, nil
}

// URL is the address of the HTTP server.
func (w *Worker) URL() string { return "http://" + w.listener.Addr().String() }

// Stop takes no new tasks, finishes requests in flight within the shutdown
// timeout, and requeues the rest.
func (w *Worker) Stop() error {
	w.draining.Store(true)
	w.dispatch.Drain()
	if w.background.cancel != nil {
		w.background.cancel()
	}
	if w.stopReceipts != nil {
		w.stopReceipts()
	}
	err := w.lanes.Stop()
	w.background.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = errors.Join(err, w.limiter.Close(ctx))
	if w.http != nil {
		err = errors.Join(err, w.http.Shutdown(ctx))
	}
	w.client.CloseIdleConnections()
	return errors.Join(err, w.ui.Close(), w.rdb.Close())
}

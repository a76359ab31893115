// Package demo runs everything in one process: an embedded Redis, the vendor
// simulator with some faults switched on, a worker with its UI, and a job to
// watch. Nothing of it survives the process.
package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/worker"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// Options are the demo's settings.
type Options struct {
	// Listen is the worker's HTTP address; port 0 takes a free one.
	Listen string
	// Log is where the worker's log goes.
	Log zerolog.Logger
}

// Demo is a running demo.
type Demo struct {
	redis     *miniredis.Miniredis
	simulator *simulator.Simulator
	stopSim   func(context.Context) error
	worker    *worker.Worker
	client    *push.Client
	rdb       redis.UniversalClient
	book      *ledger.Store
	ticking   chan struct{}
	ticked    chan struct{}

	// UI and Simulator are where to look.
	UI, Simulator string
}

// invalid is the share of tokens that the demo's vendors call invalid.
const invalid = 0.01

// Start starts everything.
func Start(ctx context.Context, o Options) (*Demo, error) {
	d := &Demo{ticking: make(chan struct{}), ticked: make(chan struct{})}
	var err error
	if d.redis, err = miniredis.Run(); err != nil {
		return nil, fmt.Errorf("start embedded redis: %w", err)
	}
	go d.tick()
	d.simulator = simulator.New(simulator.Options{Seed: 1, Invalid: invalid, Latency: 20 * time.Millisecond})
	if err := d.simulator.SetFaults(faults()); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	if d.Simulator, d.stopSim, err = d.simulator.Listen("127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("start simulator: %w", err), d.Stop())
	}
	cfg, err := d.config(o)
	if err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	open := func(n int) redis.UniversalClient {
		return redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{d.redis.Addr()}, PoolSize: n})
	}
	d.rdb = open(4)
	d.book = &ledger.Store{Redis: d.rdb}
	if d.client, err = push.NewClient(d.rdb, push.Options{Vendors: registry.ForClient(), Apps: cfg.ForClient()}); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	if d.worker, err = worker.Start(ctx, worker.Options{Config: cfg, Redis: open, Log: o.Log}); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	d.UI = d.worker.URL()
	return d, nil
}

func (d *Demo) config(o Options) (*config.Config, error) {
	return config.Parse("demo.yaml", []byte(Settings(d.Simulator, o.Listen)), registry.All(), config.Source{})
}

// faults are what goes wrong at every vendor in the demo.
func faults() []simulator.Fault {
	return []simulator.Fault{
		{Name: "internal error", Endpoint: "send", Status: 500, After: 2, Times: 2},
		{Name: "flow control", Endpoint: "send", Status: 503, After: 6, Times: 1},
		{Name: "slow answer", Endpoint: "send", Delay: simulator.Duration(300 * time.Millisecond), Probability: 0.1},
	}
}

// tick lets keys of the embedded Redis expire, which it does not do by itself.
func (d *Demo) tick() {
	defer close(d.ticked)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			d.redis.FastForward(time.Second)
		case <-d.ticking:
			return
		}
	}
}

// Send enqueues a job of n tokens spread over all vendors.
func (d *Demo) Send(ctx context.Context, n int) (push.Result, error) {
	j := push.Job{
		ID: "demo-" + time.Now().Format("150405"), App: "demo", Priority: push.Bulk,
		Message: push.Message{
			Title: "Hello from postrider", Body: "One job, every vendor, no token twice.", TTL: push.Duration(time.Hour),
			Click: &push.Click{Action: push.ClickApp},
		},
	}
	st, err := d.client.Open(j)
	if err != nil {
		return push.Result{}, err
	}
	all := registry.All()
	for i := range n {
		v := all[i%len(all)]
		if err := st.Add(ctx, i+1, v.Name, fmt.Appendf(nil, "demo-%s-%032d", v.Name, i)); err != nil {
			return push.Result{}, errors.Join(err, st.Abort(ctx))
		}
	}
	return st.Commit(ctx)
}

// Status is how far a job is.
func (d *Demo) Status(ctx context.Context, job string) (ledger.Status, error) {
	return d.book.Status(ctx, job)
}

// Report is what the simulator saw.
func (d *Demo) Report() simulator.Report { return d.simulator.Report() }

// Stop ends everything, in reverse order.
func (d *Demo) Stop() error {
	var errs []error
	if d.worker != nil {
		errs = append(errs, d.worker.Stop())
	}
	if d.rdb != nil {
		errs = append(errs, d.rdb.Close())
	}
	if d.stopSim != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, d.stopSim(ctx))
	}
	close(d.ticking)
	<-d.ticked
	d.redis.Close()
	return errors.Join(errs...)
}

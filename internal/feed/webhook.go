package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// perCall is the most entries of one call.
	perCall = 500
	// callTime bounds one call.
	callTime = 10 * time.Second
	// The waits between calls that fail.
	firstWait, longestWait = time.Second, time.Minute
)

// WebhookMeter counts what the webhook does.
type WebhookMeter interface {
	// Delivered counts entries that it took, Failed a call that it did not take.
	Delivered(entries int)
	Failed()
	// Behind tells how many entries it has not taken, up to 10,000, and how long
	// the oldest of them has waited.
	Behind(entries int, age time.Duration)
}

// Webhook tells an application's HTTP server of the feed: signed, in order, from
// a cursor in Redis, every entry at least once. Entries that somebody deletes
// before their turn are not told.
type Webhook struct {
	Redis redis.UniversalClient
	// Client makes the calls; it follows no redirects whatever it is set to.
	Client *http.Client
	// Target is whom to call and the key of the signature; they may change at any
	// time. An empty address: nobody.
	Target func() (address, secret string)
	Meter  WebhookMeter
	Log    zerolog.Logger
	// Now is the clock of signatures; nil: time.Now.
	Now func() time.Time

	counted time.Time // when the lag was last counted in full
}

// Wanted tells whether there is anybody to call.
func (w *Webhook) Wanted() bool {
	address, _ := w.Target()
	return address != ""
}

// errMoved says that another worker moved the cursor: it is the one now.
var errMoved = errors.New("the cursor was moved by another worker")

// Run tells of what comes until ctx ends, nobody is to be told any more, or
// another worker turns out to do the same. One worker at a time is to run it:
// two would tell twice.
func (w *Webhook) Run(ctx context.Context) {
	defer w.Meter.Behind(0, 0)
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstWait), backoff.WithMaxInterval(longestWait), backoff.WithMaxElapsedTime(0))
	out := false // it is known that nothing gets through
	for w.Wanted() && ctx.Err() == nil {
		err := w.tell(ctx)
		switch {
		case err == nil:
			if out {
				w.Log.Info().Msg("the webhook takes the feed of invalid tokens again")
			}
			out = false
			wait.Reset()
			continue
		case ctx.Err() != nil, errors.Is(err, errMoved):
			return
		case !out:
			out = true
			w.Log.Error().Err(err).Msg("the webhook does not take the feed of invalid tokens: it is tried until it does")
		}
		coord.Sleep(ctx, wait.NextBackOff())
	}
}

// tell makes one call, if there is anything to tell within a second.
func (w *Webhook) tell(ctx context.Context) error {
	cursor, err := w.Redis.Get(ctx, wire.WebhookCursorKey).Result()
	if errors.Is(err, redis.Nil) {
		cursor, err = firstID, nil
	}
	if err != nil {
		return fmt.Errorf("read the webhook's cursor: %w", err)
	}
	got, err := w.Redis.XRead(ctx, &redis.XReadArgs{Streams: []string{wire.InvalidStream, cursor}, Count: perCall, Block: patience}).Result()
	if errors.Is(err, redis.Nil) {
		w.Meter.Behind(0, 0)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the feed of invalid tokens: %w", err)
	}
	var all []Entry
	_, _ = hand(got[0].Messages, cursor, func(e []Entry) error { all = e; return nil })
	w.measure(ctx, cursor, all)
	if err := w.call(ctx, all); err != nil {
		w.Meter.Failed()
		return err
	}
	w.Meter.Delivered(len(all))
	if len(all) < perCall {
		w.Meter.Behind(0, 0)
	}
	return w.advance(ctx, cursor, all[len(all)-1].ID)
}

// call posts entries; only a status of 2xx is success.
func (w *Webhook) call(ctx context.Context, all []Entry) error {
	body, err := json.Marshal(map[string][]Entry{"entries": all})
	if err != nil {
		return fmt.Errorf("call the webhook: %w", err)
	}
	address, secret := w.Target()
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("call the webhook: its address is none")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(SignatureHeader, sign(secret, w.now(), body))
	client := *w.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // it quotes the address, which often holds a key
		}
		return fmt.Errorf("call the webhook: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // the answer's body says nothing
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("call the webhook: HTTP %d", resp.StatusCode)
	}
	return nil
}

func (w *Webhook) now() time.Time {
	if w.Now == nil {
		return time.Now()
	}
	return w.Now()
}

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
	// The shortest and the longest wait between calls that fail.
	firstWait, longestWait = time.Second, time.Minute
)

// WebhookMeter counts what the webhook does.
type WebhookMeter interface {
	// Delivered counts entries that the webhook took, Failed a call that it did not take.
	Delivered(entries int)
	Failed()
	// Behind reports how many entries it has not taken, up to 10,000, and how long the
	// oldest of them has waited.
	Behind(entries int, age time.Duration)
}

// Webhook sends the feed to an application's HTTP server: signed, in order, from a cursor
// in Redis, every entry at least once. Entries that are deleted before their turn are
// not sent.
type Webhook struct {
	Redis redis.UniversalClient
	// Client makes the calls; it follows no redirects whatever it is set to.
	Client *http.Client
	// Target returns the address and the key of the signature; they may change at any
	// time. An empty address: there is no webhook.
	Target func() (address, secret string)
	Meter  WebhookMeter
	Log    zerolog.Logger
	// Now is the clock of signatures; nil: time.Now.
	Now func() time.Time

	counted time.Time // when the lag was last counted in full
}

// Wanted tells whether there is a webhook.
func (w *Webhook) Wanted() bool {
	address, _ := w.Target()
	return address != ""
}

// errMoved says that another worker moved the cursor: it is the leader now.
var errMoved = errors.New("the cursor was moved by another worker")

// Run sends entries until ctx ends, there is no webhook any more, or another worker is
// found to do the same. One worker at a time is to run it: two would send entries twice.
func (w *Webhook) Run(ctx context.Context) {
	defer w.Meter.Behind(0, 0)
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstWait), backoff.WithMaxInterval(longestWait), backoff.WithMaxElapsedTime(0))
	failing := false // it was logged that the webhook fails
	for w.Wanted() && ctx.Err() == nil {
		err := w.next(ctx)
		switch {
		case err == nil:
			if failing {
				w.Log.Info().Msg("the webhook accepts the feed of invalid tokens again")
			}
			failing = false
			wait.Reset()
			continue
		case ctx.Err() != nil, errors.Is(err, errMoved):
			return
		case !failing:
			failing = true
			w.Log.Error().Err(err).Msg("the webhook does not accept the feed of invalid tokens: calls are repeated until it does")
		}
		coord.Sleep(ctx, wait.NextBackOff())
	}
}

// next makes one call, if there is an entry within a second.
func (w *Webhook) next(ctx context.Context) error {
	cursor, err := w.Redis.Get(ctx, wire.WebhookCursorKey).Result()
	if errors.Is(err, redis.Nil) {
		cursor, err = firstID, nil
	}
	if err != nil {
		return fmt.Errorf("read the webhook's cursor: %w", err)
	}
	got, err := w.Redis.XRead(ctx, &redis.XReadArgs{Streams: []string{wire.InvalidStream, cursor}, Count: perCall, Block: blockTime}).Result()
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
		return errors.New("call the webhook: its address is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(SignatureHeader, sign(secret, w.now(), body))
	client := *w.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // u quotes the address, which often contains a key
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

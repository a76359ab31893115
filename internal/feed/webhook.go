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
	// callTimeout bounds one call.
	callTimeout = 10 * time.Second
	// The first and the longest wait between failed calls.
	firstWait, longestWait = time.Second, time.Minute
)

// WebhookMeter counts what the webhook does.
type WebhookMeter interface {
	// Delivered counts accepted entries, Failed a failed call.
	Delivered(entries int)
	Failed()
	// Behind sets how many entries were not accepted yet, up to 10,000, and how long
	// the oldest of them has waited.
	Behind(entries int, age time.Duration)
}

// Webhook posts the feed to an application's HTTP server: signed, in order, from a
// cursor in Redis, every entry at least once. Entries that an application deletes
// before they were posted are skipped.
type Webhook struct {
	Redis redis.UniversalClient
	// Client makes the calls. Redirects are never followed, whatever its setting.
	Client *http.Client
	// Target returns the address and the key of the signature, which may change at
	// any time. An empty address: the webhook is off.
	Target func() (address, secret string)
	Meter  WebhookMeter
	Log    zerolog.Logger
	// Now is the clock of signatures; nil: time.Now.
	Now func() time.Time

	counted time.Time // when the lag was last counted in full
}

// Wanted reports whether an address is configured.
func (w *Webhook) Wanted() bool {
	address, _ := w.Target()
	return address != ""
}

// errMoved: another worker moved the cursor, so that one runs the webhook now.
var errMoved = errors.New("the cursor was moved by another worker")

// Run posts entries until ctx ends, the address is removed, or another worker moves
// the cursor. Only one worker at a time should run it; two would post entries twice.
func (w *Webhook) Run(ctx context.Context) {
	defer w.Meter.Behind(0, 0)
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstWait), backoff.WithMaxInterval(longestWait), backoff.WithMaxElapsedTime(0))
	failing := false // the failure was logged
	for w.Wanted() && ctx.Err() == nil {
		err := w.deliver(ctx)
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
			w.Log.Error().Err(err).Msg("the webhook does not accept the feed of invalid tokens: it is retried")
		}
		coord.Sleep(ctx, wait.NextBackOff())
	}
}

// deliver makes one call if there are entries, or if some arrive within blockTime.
func (w *Webhook) deliver(ctx context.Context) error {
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
	_, _ = passOn(got[0].Messages, cursor, func(e []Entry) error { all = e; return nil })
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

// call posts entries. Only a status of 2xx is success.
func (w *Webhook) call(ctx context.Context, all []Entry) error {
	body, err := json.Marshal(map[string][]Entry{"entries": all})
	if err != nil {
		return fmt.Errorf("call the webhook: %w", err)
	}
	address, secret := w.Target()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("call the webhook: feedback.webhook.url is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(SignatureHeader, sign(secret, w.now(), body))
	client := *w.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the address, which often contains a key
		}
		return fmt.Errorf("call the webhook: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // the body is ignored
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

package upload

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// lockTime is how long one worker may upload before others regard it as dead.
	lockTime = 15 * time.Second
	// saveTime bounds an upload, well below lockTime.
	saveTime = 12 * time.Second
	// pollTime is how often a worker without an id checks whether another got one.
	pollTime = 25 * time.Millisecond
)

// Store shares the ids of uploaded messages in Redis. It is safe for concurrent use.
type Store struct {
	Redis redis.UniversalClient

	searches coord.Flight[Message, string]
}

// Message is what is uploaded: one message of one app to one vendor. Key is the
// requests' idempotency key.
type Message struct{ App, Vendor, Key string }

func (m Message) name() string {
	return wire.UploadKey(m.App, m.Vendor, m.Key)
}

// ID answers the vendor's name for the message, and has save make it if nobody
// did. An error of save is returned as it is. save may run on when ctx has ended,
// for others that need the name.
func (s *Store) ID(ctx context.Context, m Message, save func(context.Context) (vendors.Uploaded, error)) (string, error) {
	return s.searches.Do(ctx, m, func(ctx context.Context) (string, error) { return s.find(ctx, m, save) })
}

func (s *Store) find(ctx context.Context, m Message, save func(context.Context) (vendors.Uploaded, error)) (string, error) {
	for {
		id, err := s.Redis.Get(ctx, m.name()).Result()
		if err == nil {
			return id, nil
		}
		if !errors.Is(err, redis.Nil) {
			return "", fmt.Errorf("look for saved message: %w", err)
		}
		mine := rand.Text()
		ours, err := coord.Take(ctx, s.Redis, m.name()+":lock", mine, lockTime)
		if err != nil {
			return "", fmt.Errorf("lock saved message: %w", err)
		}
		if ours {
			return s.save(ctx, m, mine, save)
		}
		coord.Sleep(ctx, pollTime)
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("wait for saved message: %w", err)
		}
	}
}

// save has the lock, unless it finds that its last owner was done.
func (s *Store) save(ctx context.Context, m Message, mine string, save func(context.Context) (vendors.Uploaded, error)) (string, error) {
	defer coord.Release(context.WithoutCancel(ctx), s.Redis, m.name()+":lock", mine) //nolint:errcheck // the lock ends by itself
	if id, err := s.Redis.Get(ctx, m.name()).Result(); err == nil {
		return id, nil
	}
	limited, cancel := context.WithTimeout(ctx, saveTime)
	defer cancel()
	got, err := save(limited)
	if err != nil {
		return "", err
	}
	// The vendor has it: its id is stored even if all callers have left.
	if err := s.Redis.Set(context.WithoutCancel(ctx), m.name(), got.ID, got.Lifetime).Err(); err != nil {
		return "", fmt.Errorf("keep saved message: %w", err)
	}
	return got.ID, nil
}

// Forget deletes an id that the vendor no longer knows. A newer one is kept.
func (s *Store) Forget(ctx context.Context, m Message, id string) error {
	if err := coord.Release(ctx, s.Redis, m.name(), id); err != nil {
		return fmt.Errorf("forget saved message: %w", err)
	}
	return nil
}

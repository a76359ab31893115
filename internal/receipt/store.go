package receipt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/zeebo/xxh3"

	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// Store stores receipts until they are applied, and which job each sent message
// belongs to. It is safe for concurrent use.
type Store struct{ Redis redis.UniversalClient }

// perEntry is the most receipts in one entry of the stream.
const perEntry = 500

// Put adds receipts to the stream. After an error, some of them may be stored; it
// does no harm if the vendor sends them again.
func (s *Store) Put(ctx context.Context, app, vendor string, all []vendors.Receipt, at time.Time) error {
	if len(all) == 0 {
		return nil
	}
	_, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for part := range slices.Chunk(all, perEntry) {
			text, err := json.Marshal(part)
			if err != nil {
				return err
			}
			e := wire.ReceiptEntry{App: app, Vendor: vendor, At: at.UnixMilli(), Receipts: text}
			p.XAdd(ctx, &redis.XAddArgs{Stream: wire.ReceiptStream, Values: e.Words()})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store receipts: %w", err)
	}
	return nil
}

// Note stores, in one round trip, which jobs the messages that are about to be sent
// belong to. It implements dispatch.Tracer.
func (s *Store) Note(ctx context.Context, sent []dispatch.Sent) error {
	// In a transaction, so that no key remains without an expiry.
	_, err := s.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, n := range sent {
			key := wire.SentKey(n.App, n.Vendor, n.Tag)
			values := make([]any, 0, 2+2*len(n.Tokens))
			if n.Job != "" {
				values = append(values, "", n.Job)
			}
			for token, job := range n.Tokens {
				values = append(values, tokenField(token), job)
			}
			p.HSet(ctx, key, values...)
			p.Expire(ctx, key, n.For)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store the jobs of sent messages: %w", err)
	}
	return nil
}

// tokenField is the hash field of a token: the first half of its 128-bit hash in hex.
func tokenField(token string) string {
	return fmt.Sprintf("%016x", xxh3.HashString128(token).Hi)
}

// jobs returns the jobs of receipts in one round trip; "" for an unknown message.
func (s *Store) jobs(ctx context.Context, all []item) ([]string, error) {
	cmds := make([]*redis.SliceCmd, len(all))
	_, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, it := range all {
			if it.Tag != "" {
				cmds[i] = p.HMGet(ctx, wire.SentKey(it.app, it.vendor, it.Tag), "", tokenField(it.Token))
			}
		}
		return nil
	})
	if err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, fmt.Errorf("read the jobs of receipts: %w", err)
	}
	jobs := make([]string, len(all))
	for i, cmd := range cmds {
		if cmd == nil {
			continue
		}
		for _, v := range cmd.Val() {
			if job, ok := v.(string); ok {
				jobs[i] = job // the token's field, which comes last, overrides the large job's
			}
		}
	}
	return jobs, nil
}

// entry is an entry of the stream.
type entry struct {
	id          string
	app, vendor string
	at          time.Time
	receipts    []vendors.Receipt
}

// readEntry reads an entry. The error wraps wire.ErrNewer for one of a later version.
func readEntry(m redis.XMessage) (entry, error) {
	f, err := wire.DecodeReceiptEntry(m.Values)
	e := entry{id: m.ID, app: f.App, vendor: f.Vendor, at: time.UnixMilli(f.At)}
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(f.Receipts, &e.receipts); err != nil {
		return e, errors.New("its receipts are not JSON")
	}
	return e, nil
}

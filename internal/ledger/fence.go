package ledger

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Fence takes a chunk from every run that has loaded it. ours reports whether the
// caller still owns the chunk's task. It is called after the generation was read and
// before the fence replaces it, so that a late fence never affects the run of a
// worker that took the task meanwhile. A chunk that is gone needs no fence.
func (s *Store) Fence(ctx context.Context, ref string, ours func(context.Context) (bool, error)) error {
	key := wire.ChunkKey(ref)
	for {
		seen, err := s.Redis.GetRange(ctx, key, wire.GenOffset, wire.GenOffset+wire.GenLength-1).Bytes()
		if err != nil {
			return fmt.Errorf("read generation of chunk %s: %w", ref, err)
		}
		if len(seen) < wire.GenLength {
			return nil
		}
		if ok, err := ours(ctx); err != nil || !ok {
			return err
		}
		next := wire.Head(nextFence(binary.BigEndian.Uint32(seen)), 0)[:wire.GenLength]
		done, err := fenceScript.Call().Key("chunk", key).
			Arg("header", wire.ChunkHeader).Arg("expected", seen).Arg("next_gen", next).
			Run(ctx, s.Redis).Int()
		if err != nil {
			return fmt.Errorf("fence chunk %s: %w", ref, err)
		}
		if done != 0 {
			return nil
		}
	}
}

// Left reports for each chunk whether it still exists, in one round trip.
func (s *Store) Left(ctx context.Context, refs []string) ([]bool, error) {
	cmds := make([]*redis.IntCmd, len(refs))
	_, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			cmds[i] = p.Exists(ctx, wire.ChunkKey(ref))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for %d chunks: %w", len(refs), err)
	}
	left := make([]bool, len(refs))
	for i, cmd := range cmds {
		left[i] = cmd.Val() > 0
	}
	return left, nil
}

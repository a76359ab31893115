package ledger

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// fenceScript takes a chunk from whoever holds it: the next step of every run
// that loaded it before comes too late. A chunk whose generation is not 0 has
// its states, so it gets them.
//
//	KEYS: chunk
//	ARGV: length of its header, generation expected, generation to write (4 bytes each)
//	Returns 1 if it was fenced, now or before, 0 if its generation is another, -1 if it is gone.
var fenceScript = redis.NewScript(`
local header = redis.call('GETRANGE', KEYS[1], 0, ARGV[1] - 1)
if #header < tonumber(ARGV[1]) then return -1 end
local gen = string.sub(header, 3, 6)
if gen == ARGV[3] then return 1 end
if gen ~= ARGV[2] then return 0 end
local _, _, _, tokens, body = struct.unpack('>c2I4I2I2I4', header)
local states = ARGV[1] + body
if redis.call('STRLEN', KEYS[1]) == states then
  redis.call('SETRANGE', KEYS[1], states, string.rep('\0', tokens))
end
redis.call('SETRANGE', KEYS[1], 2, ARGV[3])
return 1
`)

// Fence takes a chunk from every run that has loaded it. ours tells whether the
// caller still has the chunk's task for itself. It is asked after the generation
// was read and before the fence replaces it, so that a fence that comes late
// never hits the run of somebody who took the task meanwhile. A chunk that is
// gone needs no fence.
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
		done, err := fenceScript.Run(ctx, s.Redis, []string{key}, wire.ChunkHeader, seen, next).Int()
		if err != nil {
			return fmt.Errorf("fence chunk %s: %w", ref, err)
		}
		if done != 0 {
			return nil
		}
	}
}

// Left tells of each chunk whether there is anything left of it, in one round trip.
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

package ledger

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// fenceStep is how much a fence adds to a chunk's generation: far more than a
// step of the run itself, so that the run can tell one from the other.
const fenceStep = 1 << 28

// fenceScript takes a chunk from whoever holds it: the next step of every run
// that loaded it before comes too late. A chunk whose generation is not 0 has
// its states, so it gets them.
//
//	KEYS: chunk
//	ARGV: length of its header, what to add to the generation
var fenceScript = redis.NewScript(`
local header = redis.call('GETRANGE', KEYS[1], 0, ARGV[1] - 1)
if #header < tonumber(ARGV[1]) then return 0 end
local _, gen, _, tokens, body = struct.unpack('>c2I4I2I2I4', header)
local states = ARGV[1] + body
if redis.call('STRLEN', KEYS[1]) == states then
  redis.call('SETRANGE', KEYS[1], states, string.rep('\0', tokens))
end
redis.call('SETRANGE', KEYS[1], 2, struct.pack('>I4', (gen + ARGV[2]) % 4294967296))
return 1
`)

// Fence takes a chunk from every run that has loaded it. A chunk that is gone
// needs no fence.
func (s *Store) Fence(ctx context.Context, ref string) error {
	if err := fenceScript.Run(ctx, s.Redis, []string{wire.ChunkKey(ref)}, wire.ChunkHeader, fenceStep).Err(); err != nil {
		return fmt.Errorf("fence chunk %s: %w", ref, err)
	}
	return nil
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

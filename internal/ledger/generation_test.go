package ledger

import "testing"

func TestGenerations(t *testing.T) {
	t.Parallel()
	for _, gen := range []uint32{0, 1, stepMask, stepMask + 1, 1 << 31, 1<<32 - 1, maxFence << stepBits} {
		for range 1000 {
			step, fence := nextStep(gen), nextFence(gen)
			if step == gen || step == 0 || fenced(gen, step) {
				t.Fatalf("a step leads from %#x to %#x", gen, step)
			}
			if fence == 0 || !fenced(gen, fence) || !fenced(step, fence) {
				t.Fatalf("a fence leads from %#x to %#x", gen, fence)
			}
		}
	}
}

package ledger

import "math/rand/v2"

// A chunk's generation says who may record a step for it. The upper bits count
// its fences, the lower bits are random and new with each step. So a step whose reply
// was lost is recognised as ours when it is sent again, and a run that was fenced
// never finds its own generation again: 4,095 fences take hours, and no run of a task
// lasts that long.
const (
	stepBits = 20
	stepMask = 1<<stepBits - 1
	maxFence = 1<<(32-stepBits) - 1
)

// nextStep is the generation after a step: another one of the same fence, and
// not 0, which means that the chunk has no states yet.
func nextStep(gen uint32) uint32 {
	step := 1 + rand.Uint32N(stepMask)
	if step == gen&stepMask {
		step = step%stepMask + 1
	}
	return gen&^stepMask | step
}

// nextFence is the generation after a fence. Two fences that follow the same
// generation differ, so that each reaper recognises its own.
func nextFence(gen uint32) uint32 {
	return (gen>>stepBits%maxFence+1)<<stepBits | rand.Uint32N(stepMask+1)
}

// fenced reports whether a chunk was fenced since a run loaded it. Steps of the run
// itself whose replies were lost are no fence.
func fenced(held, now uint32) bool { return held>>stepBits != now>>stepBits }

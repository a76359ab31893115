package play_test

import (
	"testing"

	"github.com/postrider/postrider/internal/simulator/play"
)

// TestARestartedSimulatorGrantsOtherTokens: a worker that is granted the very
// token that was just refused must think that its credentials are.
func TestARestartedSimulatorGrantsOtherTokens(t *testing.T) {
	t.Parallel()
	before, after := newRig(t, play.Options{Seed: 7}).HuaweiToken(), newRig(t, play.Options{Seed: 7}).HuaweiToken()
	if before == after {
		t.Errorf("two simulators with one seed granted the same access token: %q", before)
	}
}

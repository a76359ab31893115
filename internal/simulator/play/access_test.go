package play_test

import (
	"testing"

	"github.com/postrider/postrider/internal/simulator/play"
)

// A worker that is granted the token that was just refused would conclude that its
// credentials are refused.
func TestARestartedSimulatorGrantsOtherTokens(t *testing.T) {
	t.Parallel()
	before, after := newRig(t, play.Options{Seed: 7}).HuaweiToken(), newRig(t, play.Options{Seed: 7}).HuaweiToken()
	if before == after {
		t.Errorf("two simulators with one seed granted the same access token: %q", before)
	}
}

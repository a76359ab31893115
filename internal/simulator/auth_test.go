package simulator

import "testing"

// TestARestartedSimulatorGrantsOtherTokens: a worker that is granted the very
// token that was just refused must think that its credentials are.
func TestARestartedSimulatorGrantsOtherTokens(t *testing.T) {
	t.Parallel()
	before, after := newRig(t, Options{Seed: 7}).token(), newRig(t, Options{Seed: 7}).token()
	if before == after {
		t.Errorf("two simulators with one seed granted the same access token: %q", before)
	}
}

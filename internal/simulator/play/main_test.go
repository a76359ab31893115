package play_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/simulator/huawei"
	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer returns a server of one vendor, the example of these tests.
func newServer(o play.Options) *play.Server { return play.NewServer(o, huawei.New(huawei.Options{})) }

// newRig serves the same until the test ends.
func newRig(t *testing.T, o play.Options) *playtest.Rig {
	t.Helper()
	return playtest.Serve(t, newServer(o))
}

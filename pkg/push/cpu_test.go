package push_test
import ("testing";"syscall";"fmt";"runtime/debug")
func cpu() float64 { var r syscall.Rusage; syscall.Getrusage(0, &r); return float64(r.Utime.Nano()) }
func TestCPU(t *testing.T) {
	debug.SetGCPercent(400)
	best := 1e9
	for range 12 {
		c := newCampaign(t)
		a := cpu()
		for range 1000000 { c.add(t) }
		best = min(best, (cpu()-a)/1e6)
	}
	fmt.Printf("best %.0f ns/token\n", best)
}

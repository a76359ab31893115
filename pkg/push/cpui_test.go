package push
import ("testing";"syscall";"fmt";"strings";"github.com/zeebo/xxh3")
func icpu() float64 { var r syscall.Rusage; syscall.Getrusage(0, &r); return float64(r.Utime.Nano()) }
func next(tok []byte) { for i := len(tok) - 1; ; i-- { if tok[i]++; tok[i] <= '9' { break }; tok[i] = '0' } }
func TestICPU(t *testing.T) {
	tok := []byte(strings.Repeat("AbC_-0", 20) + "0000000000")
	measure := func(name string, mk func() func()) {
		best := 1e9
		for range 8 { f := mk(); a := icpu(); for range 1000000 { next(tok); f() }; best = min(best, (icpu()-a)/1e6) }
		fmt.Printf("%s %.0f ns\n", name, best)
	}
	measure("next", func() func() { return func(){} })
	measure("check", func() func() { return func(){ if checkToken(tok) != "" { t.Fatal() } } })
	measure("hash", func() func() { return func(){ xxh3.Hash128(tok) } })
	measure("seen", func() func() { var s seen; return func(){ s.add(tok) } })
	measure("seen presized", func() func() { var s seen; s.slots = make([]xxh3.Uint128, 1<<21); for i := range s.slots { s.slots[i].Lo=1; s.slots[i] = xxh3.Uint128{} }; return func(){ s.add(tok) } })
}

package simulator

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Simulator answers for all vendors on one handler; the host of a request does
// not matter, its path does. It is safe for concurrent use.
type Simulator struct {
	opt     Options
	mux     *http.ServeMux
	players map[string]*player
	auth    *auth
	rules   *rules
	journal journal
	serial  atomic.Uint64
	strays  violations
	calls   sync.Pool

	underway sync.WaitGroup // calls with receipts on their way
	courier  *http.Client   // makes them

	closing   chan struct{} // closed when the server stops: nothing hangs any longer
	closeOnce sync.Once
}

// player is a vendor with what the simulator remembers of it.
type player struct {
	vendor
	opt   Options
	apps  directory
	stats stats
	seen  counts

	receipts atomic.Pointer[Receipts] // nil: it sends none
	told     atomic.Int64             // calls with receipts that were taken
}

// New returns a simulator of all vendors.
func New(o Options) *Simulator {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Simulator{opt: o, mux: http.NewServeMux(), players: map[string]*player{}, closing: make(chan struct{})}
	s.courier = &http.Client{Transport: &http.Transport{MaxConnsPerHost: 8}}
	s.auth = newAuth()
	s.rules = &rules{luck: newChance(o.Seed)}
	s.calls.New = func() any { return new(call) }
	for _, build := range vendors {
		s.join(build(o))
	}
	s.admin()
	s.mux.HandleFunc("/", s.stray)
	return s
}

func (s *Simulator) join(v vendor) {
	p := &player{vendor: v, opt: s.opt, apps: newDirectory(s.opt, v.name)}
	s.players[v.name] = p
	for i := range v.endpoints {
		e := &v.endpoints[i]
		s.mux.HandleFunc(e.pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, p, e) })
	}
}

// ServeHTTP answers a vendor's client, or the administration below /_simulator/.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// stray answers a path that no vendor has.
func (s *Simulator) stray(w http.ResponseWriter, r *http.Request) {
	s.strays.add(Violation{Endpoint: r.URL.Path, What: r.Method + " to a path that no vendor has"})
	http.NotFound(w, r)
}

// serve is one request to a vendor from beginning to end. Whatever is counted
// is counted before the answer is written, so that a client that has its answer
// finds it in the report.
func (s *Simulator) serve(w http.ResponseWriter, r *http.Request, p *player, e *endpoint) {
	defer p.stats.enter(e.name, s.opt.Now())()
	c := s.begin(r, p, e)
	defer s.end(c)
	if s.opt.Sink && e.sink {
		_, _ = io.Copy(io.Discard, r.Body) // a client that breaks off gets no answer anyway
		e.success(c).write(w)
		return
	}
	if err := c.read(w); err != nil {
		s.unread(w, c, err)
		return
	}
	e.open(c)
	p.stats.present(c.now, len(c.tokens))
	if f := s.rules.pick(c); f != nil {
		s.misbehave(w, c, f)
		return
	}
	s.finish(w, c, e.handle(c))
}

// unread ends a request whose body did not come whole. Only its length is the
// client's fault: anybody may lose a connection.
func (s *Simulator) unread(w http.ResponseWriter, c *call, err error) {
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); !tooLong {
		panic(http.ErrAbortHandler)
	}
	c.violatef("the body is longer than %d bytes", longestBody)
	s.finish(w, c, answer{status: http.StatusRequestEntityTooLarge})
}

func (s *Simulator) finish(w http.ResponseWriter, c *call, a answer) {
	s.journal.add(c, a.status, "")
	s.tell(c, "")
	if !c.wait(s.opt.Latency) {
		panic(http.ErrAbortHandler)
	}
	a.write(w)
}

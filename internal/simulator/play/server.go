package play

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server answers the requests to all vendors that it was given, on one handler.
// The host of a request does not matter, its path does. It is safe for
// concurrent use.
type Server struct {
	opt     Options
	mux     *http.ServeMux
	players map[string]*player
	auth    *auth
	rules   *rules
	journal journal
	lastID  atomic.Uint64
	strays  violations
	calls   sync.Pool

	sending       sync.WaitGroup // receipts on their way
	receiptClient *http.Client   // sends them

	closing   chan struct{} // closed by StopWaiting
	closeOnce sync.Once
}

// player is a vendor with what the server remembers about it.
type player struct {
	Vendor
	opt   Options
	apps  directory
	stats stats
	seen  Counts

	receipts     atomic.Pointer[Receipts] // nil: it sends none
	receiptsSent atomic.Int64             // receipt calls that were answered with 200
}

// NewServer returns a server for some vendors. It panics when two of them have
// the same name or path.
func NewServer(o Options, vendors ...Vendor) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{opt: o, mux: http.NewServeMux(), players: map[string]*player{}, closing: make(chan struct{})}
	s.receiptClient = &http.Client{Transport: &http.Transport{MaxConnsPerHost: 8}}
	s.auth = newAuth()
	s.rules = &rules{rng: newRNG(o.Seed)}
	s.calls.New = func() any { return new(Call) }
	for _, v := range vendors {
		s.add(v)
	}
	s.mux.HandleFunc("/", s.stray)
	return s
}

func (s *Server) add(v Vendor) {
	if s.players[v.Name] != nil {
		panic("two vendors have the name " + v.Name)
	}
	p := &player{Vendor: v, opt: s.opt, apps: newDirectory(s.opt, v.Name)}
	s.players[v.Name] = p
	for i := range v.Endpoints {
		e := &v.Endpoints[i]
		s.mux.HandleFunc(e.Pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, p, e) })
	}
}

// Handle adds a path that belongs to no vendor. It must not be called while the
// server is in use.
func (s *Server) Handle(pattern string, h http.HandlerFunc) { s.mux.HandleFunc(pattern, h) }

// Now returns the time by Options.Now.
func (s *Server) Now() time.Time { return s.opt.Now() }

// Plays reports whether the server has a vendor of that name.
func (s *Server) Plays(vendor string) bool { return s.players[vendor] != nil }

// ServeHTTP answers a vendor's client.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// stray answers a path that no vendor has.
func (s *Server) stray(w http.ResponseWriter, r *http.Request) {
	s.strays.add(Violation{Endpoint: r.URL.Path, What: r.Method + " to a path that no vendor has"})
	http.NotFound(w, r)
}

// serve is one request to a vendor from beginning to end. Everything is counted
// before the answer is written, so that a client that has its answer finds it in
// the report.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, p *player, e *Endpoint) {
	defer p.stats.enter(e.Name, s.opt.Now())()
	c := s.begin(r, p, e)
	defer s.end(c)
	if s.opt.Sink && e.Sink {
		_, _ = io.Copy(io.Discard, r.Body) // a client that breaks off gets no answer anyway
		e.Success(c).write(w)
		return
	}
	if err := c.read(w); err != nil {
		s.unread(w, c, err)
		return
	}
	e.Open(c)
	p.stats.present(c.Now, len(c.Tokens))
	if f := s.rules.pick(c); f != nil {
		s.applyFault(w, c, f)
		return
	}
	s.finish(w, c, e.Handle(c))
}

// unread ends a request whose body was not read whole. Only a body that is too
// long is the client's fault: any client may lose its connection.
func (s *Server) unread(w http.ResponseWriter, c *Call, err error) {
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); !tooLong {
		panic(http.ErrAbortHandler)
	}
	c.Violatef("the body is longer than %d bytes", longestBody)
	s.finish(w, c, Answer{Status: http.StatusRequestEntityTooLarge})
}

func (s *Server) finish(w http.ResponseWriter, c *Call, a Answer) {
	s.journal.add(c, a.Status, "")
	s.notifyWatch(c, "")
	if !c.wait(s.opt.Latency) {
		panic(http.ErrAbortHandler)
	}
	a.write(w)
}

// StopWaiting ends all delays and hangs, those of later requests too.
func (s *Server) StopWaiting() { s.closeOnce.Do(func() { close(s.closing) }) }

// WaitForReceipts returns when no receipt is on its way any more. Each one takes
// a few seconds at most after StopWaiting, and Receipts.Late longer before it.
func (s *Server) WaitForReceipts() {
	s.sending.Wait()
	s.receiptClient.CloseIdleConnections()
}

package status

import (
	"bytes"
	"context"
	_ "embed" // for page.html
	"html/template"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"ago": ago, "clock": clock, "number": number, "join": join,
}).Parse(pageSource))

// readTime bounds what one page reads.
const readTime = 10 * time.Second

// Handler serves the page. All fields but Now must be set; it is safe for
// concurrent use.
type Page struct {
	Redis redis.UniversalClient
	// Accounts are what the configuration has at the moment.
	Accounts func() []*account.Account
	Log      zerolog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// View is what the page shows.
type PageView struct {
	At     time.Time
	Lanes  []Lane
	Apps   []AccountRow
	Jobs   []WorkingJob
	Dead   Tally
	Held   Tally
	Faults []string // what could not be read
}

// ServeHTTP draws the page. What cannot be read is said so, and the rest is shown.
func (h *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTime)
	defer cancel()
	v := h.view(ctx)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		h.Log.Error().Err(err).Msg("draw /postrider")
		http.Error(w, "the page cannot be drawn: see the log", http.StatusInternalServerError)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	if len(v.Faults) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = b.WriteTo(w)
}

func (h *Page) view(ctx context.Context) PageView {
	v := PageView{At: h.now()}
	accounts := h.Accounts()
	reader := LaneReader{Redis: h.Redis, Now: h.Now}
	for _, part := range []func() error{
		func() (err error) { v.Lanes, err = reader.Lanes(ctx, accounts); return err },
		func() (err error) { v.Jobs, err = h.jobs(ctx, v.Lanes); return err },
		func() (err error) { v.Dead, err = h.dead(ctx); return err },
		func() (err error) { v.Held, err = h.held(ctx); return err },
	} {
		if err := part(); err != nil {
			h.Log.Warn().Err(err).Msg("read for /postrider")
			v.Faults = append(v.Faults, err.Error())
		}
	}
	v.Apps = byAccount(v.Lanes)
	return v
}

func (h *Page) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

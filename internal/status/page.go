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

// readTimeout bounds the reads of one page.
const readTimeout = 10 * time.Second

// Page serves /postrider. All fields except Now must be set. It is safe for
// concurrent use.
type Page struct {
	Redis redis.UniversalClient
	// Accounts returns the accounts in force.
	Accounts func() []*account.Account
	Log      zerolog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// PageView is the content of the page.
type PageView struct {
	At         time.Time
	Lanes      []Lane
	Apps       []AccountRow
	Jobs       []WorkingJob
	Dead       Tally
	Quarantine Tally    // quarantined feed entries
	Faults     []string // what could not be read
}

// ServeHTTP renders the page. It shows what could be read, and an error for each
// part that could not.
func (h *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	v := h.view(ctx)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		h.Log.Error().Err(err).Msg("render /postrider")
		http.Error(w, "the page cannot be rendered: see the worker's log", http.StatusInternalServerError)
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
		func() (err error) { v.Quarantine, err = h.quarantined(ctx); return err },
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

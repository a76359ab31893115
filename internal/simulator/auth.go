package simulator

import (
	"crypto/rand"
	"sync"
	"time"
)

// standing is what an access token is worth.
type standing int

const (
	unknown standing = iota // never issued
	valid
	expired
	revoked
)

// auth remembers the access tokens of all vendors. Dead ones stay: a client
// that uses one is told so.
type auth struct {
	mu      sync.Mutex
	tokens  map[accessToken]*grant
	windows map[owner]*grantWindow
}

type accessToken struct{ vendor, token string }

type owner struct{ vendor, app string }

type grant struct {
	app     string
	expires time.Time
	revoked bool
}

// grantWindow counts an app's grants since the first one of the window.
type grantWindow struct {
	start time.Time
	n     int
}

func newAuth() *auth {
	return &auth{tokens: map[accessToken]*grant{}, windows: map[owner]*grantWindow{}}
}

// issue remembers an access token; with alone it becomes the app's only one. It
// is false, and changes nothing, when the token is known already.
func (a *auth) issue(by owner, token string, expires time.Time, alone bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := accessToken{by.vendor, token}
	if a.tokens[t] != nil {
		return false
	}
	if alone {
		a.revoke(func(t accessToken, g *grant) bool { return t.vendor == by.vendor && g.app == by.app })
	}
	a.tokens[t] = &grant{app: by.app, expires: expires}
	return true
}

// check tells whose a token is and what it is worth now.
func (a *auth) check(vendor, token string, now time.Time) (app string, s standing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.tokens[accessToken{vendor, token}]
	switch {
	case g == nil:
		return "", unknown
	case g.revoked:
		return g.app, revoked
	case !now.Before(g.expires):
		return g.app, expired
	}
	return g.app, valid
}

// flow counts a grant against the app's window. It is false, and counts
// nothing, when the window is full; most <= 0 means no limit.
func (a *auth) flow(by owner, now time.Time, most int, length time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.windows[by]
	if w == nil || now.Sub(w.start) >= length {
		w = &grantWindow{start: now}
		a.windows[by] = w
	}
	if most > 0 && w.n >= most {
		return false
	}
	w.n++
	return true
}

func (a *auth) revoke(which func(accessToken, *grant) bool) (n int) {
	for t, g := range a.tokens {
		if !g.revoked && which(t, g) {
			g.revoked = true
			n++
		}
	}
	return n
}

// RevokeAccessTokens makes every access token of a vendor worthless at once, or
// of all vendors when vendor is empty. It returns how many there were.
func (s *Simulator) RevokeAccessTokens(vendor string) int {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	return s.auth.revoke(func(t accessToken, _ *grant) bool { return vendor == "" || t.vendor == vendor })
}

// grant gives the app of a call the access token that form writes around random
// bytes. ok is false when the app has had all of its window's.
func (c *call) grant(app string, window grantLimit, form func(random []byte) string) (token string, life time.Duration, ok bool) {
	o := c.sim.opt
	by := owner{c.p.name, app}
	if !c.sim.auth.flow(by, c.now, o.grants(window.most), window.every) {
		c.violatef("asked for more than %d access tokens in %s", o.grants(window.most), window.every)
		return "", 0, false
	}
	random := make([]byte, 48)
	_, _ = rand.Read(random) // never fails
	token, life = form(random), o.life(window.life)
	c.sim.auth.issue(by, token, c.now.Add(life), o.InvalidateOldOnGrant)
	c.p.stats.granted()
	return token, life, true
}

// grantLimit is what a vendor's documents say of access tokens.
type grantLimit struct {
	most  int           // grants in a window; 0 means no limit is documented
	every time.Duration // the window, which starts with its first grant
	life  time.Duration
}

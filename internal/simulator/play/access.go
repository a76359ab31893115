package play

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"
)

// AccessState reports whether an access token may be used.
type AccessState int

// The states of an access token.
const (
	// AccessUnknown is a token that was never issued.
	AccessUnknown AccessState = iota
	// AccessValid is a token that may be used.
	AccessValid
	// AccessExpired is a token whose lifetime is over.
	AccessExpired
	// AccessRevoked is a token that was revoked before its lifetime was over.
	AccessRevoked
)

// auth remembers the access tokens of all vendors. Expired and revoked ones are
// kept, since their answer differs from that for an unknown one.
type auth struct {
	mu      sync.Mutex
	tokens  map[accessToken]*grant
	windows map[appKey]*grantWindow
}

// accessToken is a token of a vendor.
type accessToken struct{ vendor, token string }

// appKey is an app at a vendor.
type appKey struct{ vendor, app string }

// grant is an access token that was issued.
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
	return &auth{tokens: map[accessToken]*grant{}, windows: map[appKey]*grantWindow{}}
}

// issue remembers an access token; only revokes the app's other ones. It is
// false, and changes nothing, when the token is known already.
func (a *auth) issue(by appKey, token string, expires time.Time, only bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := accessToken{by.vendor, token}
	if a.tokens[t] != nil {
		return false
	}
	if only {
		a.revoke(func(t accessToken, g *grant) bool { return t.vendor == by.vendor && g.app == by.app })
	}
	a.tokens[t] = &grant{app: by.app, expires: expires}
	return true
}

// check returns the app of a token and whether it may be used now.
func (a *auth) check(vendor, token string, now time.Time) (app string, s AccessState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.tokens[accessToken{vendor, token}]
	switch {
	case g == nil:
		return "", AccessUnknown
	case g.revoked:
		return g.app, AccessRevoked
	case !now.Before(g.expires):
		return g.app, AccessExpired
	}
	return g.app, AccessValid
}

// countGrant counts a grant in the app's window. It is false, and counts nothing,
// when the window is full; limit <= 0 means that there is none.
func (a *auth) countGrant(by appKey, now time.Time, limit int, length time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.windows[by]
	if w == nil || now.Sub(w.start) >= length {
		w = &grantWindow{start: now}
		a.windows[by] = w
	}
	if limit > 0 && w.n >= limit {
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

// RevokeAccessTokens revokes every access token of a vendor, or of all vendors
// when vendor is empty. It returns how many there were.
func (s *Server) RevokeAccessTokens(vendor string) int {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	return s.auth.revoke(func(t accessToken, _ *grant) bool { return vendor == "" || t.vendor == vendor })
}

// GrantAccess gives an app an access token, which form makes from 48 random bytes.
// ok is false when the app may have no more in its window.
func (c *Call) GrantAccess(app string, window GrantLimit, form func(random []byte) string) (token string, life time.Duration, ok bool) {
	o := c.server.opt
	by := appKey{c.player.Name, app}
	if !c.server.auth.countGrant(by, c.Now, o.grants(window.Max), window.Every) {
		c.Violatef("asked for more than %d access tokens in %s", o.grants(window.Max), window.Every)
		return "", 0, false
	}
	random := make([]byte, 48)
	_, _ = rand.Read(random) // never fails
	token, life = form(random), o.life(window.Life)
	c.server.auth.issue(by, token, c.Now.Add(life), o.InvalidateOldOnGrant)
	c.player.stats.granted()
	return token, life, true
}

// GrantLimit is what a vendor's documents say about access tokens.
type GrantLimit struct {
	Max   int           // grants in a window; 0 means that no limit is documented
	Every time.Duration // the window, which begins with its first grant
	Life  time.Duration
}

// Bearer returns the access token of the header Authorization. Without one it is ""
// and a violation.
func (c *Call) Bearer() string {
	token, ok := strings.CutPrefix(c.Request.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		c.Violate("no Authorization: Bearer header")
		return ""
	}
	return token
}

// CheckAccess returns the app of an access token and whether it may be used now.
func (c *Call) CheckAccess(token string) (app string, s AccessState) {
	return c.server.auth.check(c.player.Name, token, c.Now)
}

// RememberAccess adds an access token that the client made itself. A token that
// is known already is left as it is.
func (c *Call) RememberAccess(app, token string, expires time.Time) {
	if c.server.auth.issue(appKey{c.player.Name, app}, token, expires, false) {
		c.player.stats.granted()
	}
}

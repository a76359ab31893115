package play

import "time"

// Options say how all vendors behave; a vendor's own options are in its package.
// The zero value is useful: every vendor knows DemoCredential, there is no rate
// limit and no delay, and the only invalid tokens are those that begin with "bad-".
type Options struct {
	// Seed makes random choices repeatable: which tokens are invalid, for which
	// requests a rule with a probability fires. Access tokens are never repeated.
	Seed uint64
	// Now is the clock of expiries, rates and windows; nil means time.Now.
	// Delays always take real time.
	Now func() time.Time
	// Credentials lists the apps of a vendor by the vendor's name. A vendor
	// without an entry has one app, DemoCredential.
	Credentials map[string][]Credential
	// AnyCredentials grants access tokens to any id and secret, and accepts access
	// tokens that were never issued. Expired and revoked ones are still refused.
	AnyCredentials bool

	// Rate is what an app may send in a second, in the vendor's own unit; 0 is no
	// limit. A request is refused when that much was sent in the second before it,
	// so one request may exceed the rate.
	Rate float64
	// Rates replaces Rate for some vendors, by name; 0 is no limit.
	Rates map[string]float64

	// TokenLife is the lifetime of access tokens, rounded down to seconds; 0 means
	// what the vendor's documents say.
	TokenLife time.Duration
	// Grants is how many access tokens an app gets in the vendor's window; 0 means
	// what the vendor's documents say, less than 0 is no limit.
	Grants int
	// InvalidateOldOnGrant revokes an app's access tokens when it gets a new one.
	InvalidateOldOnGrant bool

	// Invalid is the share of push tokens, 0 to 1, that are invalid. Which tokens
	// these are depends only on the token and Seed.
	Invalid float64
	// Latency is how long a vendor waits before every answer.
	Latency time.Duration
	// Watch, if not nil, is called for every request to a vendor, when it is
	// answered or when it is decided that it gets no answer. Many goroutines call
	// it at once.
	Watch func(Seen)
	// Sink answers sends with success at once: only requests are counted, nothing
	// is parsed or checked, and no fault applies.
	Sink bool
}

func (o Options) rate(vendor string) float64 {
	if r, ok := o.Rates[vendor]; ok {
		return r
	}
	return o.Rate
}

func (o Options) life(documented time.Duration) time.Duration {
	if o.TokenLife > 0 {
		return o.TokenLife
	}
	return documented
}

func (o Options) grants(documented int) int {
	if o.Grants != 0 {
		return o.Grants
	}
	return documented
}

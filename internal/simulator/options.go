package simulator

import "time"

// Options say how the simulator behaves. The zero value is useful: the demo
// credential of every vendor, no rate limit, no invalid tokens but those that
// begin with "bad-", no delay.
type Options struct {
	// Seed makes chances repeatable: which tokens are invalid, which requests
	// a rule with a probability hits. Access tokens are never repeated.
	Seed uint64
	// Now is the clock of expiries, rates and windows; nil means time.Now.
	// Delays always take real time.
	Now func() time.Time
	// Credentials lists the apps of a vendor by the vendor's name. A vendor
	// without an entry has one app, DemoCredential.
	Credentials map[string][]Credential
	// AnyCredentials grants to any id and secret, and accepts access tokens that
	// were never issued. Expired and revoked ones are refused all the same.
	AnyCredentials bool

	// Rate is what an app may send in a second, in the vendor's own unit;
	// 0 means no limit. A request is refused when the second before it
	// already holds that much, so one request may go over.
	Rate float64
	// Rates replaces Rate for the vendors named; 0 there means no limit.
	Rates map[string]float64

	// TokenLife is the lifetime of access tokens in whole seconds; 0 means what the
	// vendor's documents say.
	TokenLife time.Duration
	// Grants is how many access tokens an app gets in the vendor's window; 0
	// means what the vendor's documents say, less than 0 no limit.
	Grants int
	// InvalidateOldOnGrant makes every new access token the app's only one.
	InvalidateOldOnGrant bool

	// Invalid is the share of push tokens, 0 to 1, that are invalid. Which ones
	// follows from the token and Seed alone.
	Invalid float64
	// Latency is how long every answer of a vendor takes.
	Latency time.Duration
	// Watch is told of every request to a vendor when it is answered, or is to
	// be left without an answer; nil: nobody is. It is called by many goroutines.
	Watch func(Seen)
	// Sink answers sends with success at once: nothing is parsed, checked or
	// counted but the requests, and no fault applies.
	Sink bool

	// Huawei holds what Huawei's documents leave open.
	Huawei HuaweiOptions
	// Harmony holds what the documents of Huawei's API v3 leave open.
	Harmony HarmonyOptions
	// Honor holds what Honor's documents leave open.
	Honor HonorOptions
	// Oppo holds what OPPO's documents leave open.
	Oppo OppoOptions
	// Vivo holds what vivo's documents leave open.
	Vivo VivoOptions
	// Xiaomi holds what Xiaomi's documents leave open.
	Xiaomi XiaomiOptions
	// Meizu holds what Meizu's documents leave open.
	Meizu MeizuOptions
	// TIM holds what Tencent's documents leave open.
	TIM TIMOptions
}

// Credential is what one app was given by one vendor.
type Credential struct {
	App     string `json:"app"`               // the id that sends name
	Client  string `json:"client,omitempty"`  // the id that asks for access tokens; empty means App
	Secret  string `json:"secret"`            // never answered, never recorded
	Project string `json:"project,omitempty"` // for vendors whose sends may name a project
	// PublicKey is the PEM of an RSA key, and KeyID its name, for vendors whose
	// clients sign their access tokens; Client is then the account that signs.
	PublicKey string `json:"public_key,omitempty"`
	KeyID     string `json:"key_id,omitempty"`
	// Lacks names rights that the app was not granted: RightPush, RightHighUrgency.
	Lacks []string `json:"lacks,omitempty"`
}

// The rights that a Credential may lack.
const (
	RightPush        = "push"
	RightHighUrgency = "high-urgency"
)

// DemoCredential is accepted for every vendor that Options give no credentials.
func DemoCredential() Credential {
	return Credential{App: "100001", Secret: "demo-secret", Project: "200001", KeyID: demoKeyID, PublicKey: demoPublicKey}
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

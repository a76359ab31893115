package play

// Credential is what one app was given by one vendor.
type Credential struct {
	App     string `json:"app"`               // the id in sends
	Client  string `json:"client,omitempty"`  // the id that asks for access tokens; empty means App
	Secret  string `json:"secret"`            // never in an answer or a record
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

// DemoCredential is the app of every vendor without Options.Credentials.
func DemoCredential() Credential {
	return Credential{App: "100001", Secret: "demo-secret", Project: "200001", KeyID: demoKeyID, PublicKey: demoPublicKey}
}

// The public half of the demo's key. The private half is in the demo's settings
// and is of no use except at this simulator.
const (
	demoKeyID     = "demo-key"
	demoPublicKey = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApfFTPjpsaa8fhaqK9/2S
tOo3keYD+ZynnLlHEIcmJ8+gm8nYUW0rv6AEsjZK47uPDGmWznz6Hmw0vgWoECGA
bVk5rGIzbaxrN1WPzJiwDuJsGEingUQQZy0UpYGQxfaqw+C21o0pZ0gqGtTn09Q8
4JD6FNbDjlGIxAdhJDHjI1WaGcJKow/RtVmTvp5Zl2UQ+YbhysFFCXq5uveO1wUr
1pMep8kmXcijxm0XlS23Bv9tpWk9Ho4j5prNJJbNphe+fhYBsRlSgChlCNm3AdQu
yf3RvK6amIMDPHETAguZrwKV3c3Qo66HZxCU05RhI1ardrZargUgvhWqj/AqIr2G
pwIDAQAB
-----END PUBLIC KEY-----`
)

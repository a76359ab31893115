package simulator

import (
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// What a service account's JWT has to say, from
// https://developer.huawei.com/consumer/cn/doc/harmonyos-guides/push-jwt-token
const (
	harmonyAudience = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
	harmonyLongest  = 24 * time.Hour
)

// The public half of the demo's key; the private one stands in the demo's
// settings, and opens nothing but this simulator.
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

// harmonyTimes are when a JWT was signed and when it ends.
type harmonyTimes struct{ issued, expires time.Time }

// authorize returns the code that refuses the caller, if any. A JWT that was
// found good once is known from then on, so that it can be revoked.
func (h *harmonyPlayer) authorize(c *call, cred Credential) string {
	token, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		c.violate("no Authorization: Bearer header")
		return "80200001"
	}
	app, standing := c.sim.auth.check(c.p.name, token, c.now)
	switch standing {
	case valid:
		if app != cred.App && !c.p.apps.any {
			c.violate("the JWT is another project's")
			return "80200001"
		}
		return ""
	case revoked:
		return "80200001"
	case expired:
		return "80200005"
	case unknown:
	}
	return h.admit(c, cred, token)
}

// admit judges a JWT that comes for the first time.
func (h *harmonyPlayer) admit(c *call, cred Credential, token string) string {
	times, wrong := h.verify(c, cred, token)
	if wrong != "" {
		if c.p.apps.any {
			return "" // whatever it is, anything will do
		}
		c.violate("the JWT is refused: " + wrong)
		return "80200001"
	}
	skew := h.Skew
	if skew == 0 {
		skew = time.Minute
	}
	switch {
	case times.expires.Sub(times.issued) > harmonyLongest:
		c.violate("the JWT lives longer than a day")
		return "80300036"
	case !c.now.Before(times.expires):
		return "80200005"
	case times.issued.After(c.now.Add(skew)):
		c.violate("the JWT was signed in the future")
		return "80200001"
	}
	if c.sim.auth.issue(owner{c.p.name, cred.App}, token, times.expires, false) { // or another request came with it just now
		c.p.stats.granted()
	}
	return ""
}

// verify says what is wrong with a JWT apart from its times. Where any
// credentials will do, being one is enough.
func (h *harmonyPlayer) verify(c *call, cred Credential, token string) (times harmonyTimes, wrong string) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"PS256"}), jwt.WithoutClaimsValidation())
	claims := jwt.MapClaims{}
	parsed, _, err := parser.ParseUnverified(token, claims)
	if !c.p.apps.any {
		parsed, err = parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) {
			return jwt.ParseRSAPublicKeyFromPEM([]byte(cred.PublicKey))
		})
	}
	issued, okI := claims["iat"].(float64)
	expires, okE := claims["exp"].(float64)
	times = harmonyTimes{time.Unix(int64(issued), 0), time.Unix(int64(expires), 0)}
	switch {
	case err != nil:
		return times, "it is not signed by PS256 with the project's key"
	case !okI || !okE:
		return times, "iat or exp is no number"
	case c.p.apps.any:
		return times, ""
	case parsed.Header["kid"] != cred.KeyID:
		return times, "kid is not the key's id"
	case parsed.Header["typ"] != "JWT":
		return times, "typ is not JWT"
	case claims["iss"] != cred.Client:
		return times, "iss is not the sub account"
	case claims["aud"] != harmonyAudience: // a string, not the list that libraries like to write
		return times, "aud is not " + harmonyAudience
	}
	return times, ""
}

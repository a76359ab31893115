package harmony

import (
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postrider/postrider/internal/simulator/play"
)

// What a service account's JWT must contain, from
// https://developer.huawei.com/consumer/cn/doc/harmonyos-guides/push-jwt-token
const (
	jwtAudience = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
	longestJWT  = 24 * time.Hour
	// jwtSkew is how far in the future a JWT may have been signed. No document
	// says it.
	jwtSkew = time.Minute
)

// jwtTimes are when a JWT was signed and when it expires.
type jwtTimes struct{ issued, expires time.Time }

// authorize returns the code that refuses the caller, if any. A JWT that was
// accepted once is remembered, so that it can be revoked.
func (h *player) authorize(c *play.Call, cred play.Credential) string {
	token := c.Bearer()
	if token == "" {
		return "80200001"
	}
	app, state := c.CheckAccess(token)
	switch state {
	case play.AccessValid:
		if app != cred.App && !c.AnyCredentials() {
			c.Violate("the JWT is another project's")
			return "80200001"
		}
		return ""
	case play.AccessRevoked:
		return "80200001"
	case play.AccessExpired:
		return "80200005"
	case play.AccessUnknown:
	}
	return h.admit(c, cred, token)
}

// admit checks a JWT that comes for the first time.
func (h *player) admit(c *play.Call, cred play.Credential, token string) string {
	times, wrong := h.verify(c, cred, token)
	if wrong != "" {
		if c.AnyCredentials() {
			return "" // any credentials will do
		}
		c.Violate("the JWT is refused: " + wrong)
		return "80200001"
	}
	switch {
	case times.expires.Sub(times.issued) > longestJWT:
		c.Violate("the JWT is valid for longer than a day")
		return "80300036"
	case !c.Now.Before(times.expires):
		return "80200005"
	case times.issued.After(c.Now.Add(jwtSkew)):
		c.Violate("the JWT was signed in the future")
		return "80200001"
	}
	c.RememberAccess(cred.App, token, times.expires)
	return ""
}

// verify says what is wrong with a JWT, except with its times. Where any
// credentials will do, every JWT is right.
func (h *player) verify(c *play.Call, cred play.Credential, token string) (times jwtTimes, wrong string) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"PS256"}), jwt.WithoutClaimsValidation())
	claims := jwt.MapClaims{}
	parsed, _, err := parser.ParseUnverified(token, claims)
	if !c.AnyCredentials() {
		parsed, err = parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) {
			return jwt.ParseRSAPublicKeyFromPEM([]byte(cred.PublicKey))
		})
	}
	issued, okI := claims["iat"].(float64)
	expires, okE := claims["exp"].(float64)
	times = jwtTimes{time.Unix(int64(issued), 0), time.Unix(int64(expires), 0)}
	switch {
	case err != nil:
		return times, "it is not signed by PS256 with the project's key"
	case !okI || !okE:
		return times, "iat or exp is not a number"
	case c.AnyCredentials():
		return times, ""
	case parsed.Header["kid"] != cred.KeyID:
		return times, "kid is not the key's id"
	case parsed.Header["typ"] != "JWT":
		return times, "typ is not JWT"
	case claims["iss"] != cred.Client:
		return times, "iss is not the sub account"
	case claims["aud"] != jwtAudience: // a string: some libraries write a list
		return times, "aud is not " + jwtAudience
	}
	return times, ""
}

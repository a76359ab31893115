package config_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"
)

// secretFile has every secret key of the file, each set in another way, and the
// secret in wrong places.
const secretFile = `
redis: {url_file: redis.txt}
http: {username: ops, password: %[1]s, listen: "%[2]s"}
log: {level: "%[3]s"}
retry: {attempts: "%[4]s"}
feedback:
  webhook: {url: "https://feed.example/${S}", secret: "x${S}x"}
apps:
  shop:
    huawei:
      client_id: "104"
      base_url: "%[5]s"
      client_secret_file: s.txt
      receipts: {secret: "${S}", key: "%[6]s"}
    tim: {identifier: "%[7]s", secret_key: "${S}", sandbox: "%[8]s"}
codes:
  huawei: {response/80300007: {class: "%[9]s"}}
`

// For any secret and any mistake in the file, no error and no printed
// configuration contains the secret.
func TestSecretsNeverShow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// The letters make sure that the secret is not part of a message.
		secret := "Zq" + rapid.StringMatching(`[A-Za-z0-9 :{}\[\]#&*!|>'"%@\\$\n/-]{6,40}`).Draw(t, "secret") + "qZ"
		valueOrSecret := func(label, right string) string {
			return rapid.SampledFrom([]string{right, right, right, right, "${S}"}).Draw(t, label)
		}
		text := fmt.Sprintf(secretFile, strconv.Quote(strings.ReplaceAll(secret, "${", "$${")), valueOrSecret("listen", "127.0.0.1:1"), valueOrSecret("level", "info"),
			valueOrSecret("attempts", "3"), valueOrSecret("base url", ""), valueOrSecret("key", "utf8"), valueOrSecret("identifier", "administrator"), valueOrSecret("sandbox", "true"), valueOrSecret("class", "token-invalid"))
		if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
			text = text[:rapid.IntRange(0, len(text)-1).Draw(t, "at")]
		}
		cfg, err := parse(text, environ{"S": secret}, disk{"conf/s.txt": secret, "conf/redis.txt": "redis://:" + secret})
		all := []string{fmt.Sprint(err)}
		if err == nil {
			all = append(all, prints(t, cfg)...)
			for _, app := range cfg.Apps {
				for _, a := range app.Vendors {
					all = append(all, prints(t, a)...)
					all = append(all, prints(t, a.Settings)...)
				}
			}
		}
		for _, s := range all {
			if strings.Contains(s, secret) || strings.Contains(s, strings.Trim(strconv.Quote(secret), `"`)) {
				t.Fatalf("the secret shows in %s", s)
			}
		}
	})
}

// prints returns v in every form in which a log or a page might print it.
func prints(t *rapid.T, v any) []string {
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), string(j), string(y)}
}

func TestTheKeyOfAccessTokensHas32Bytes(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("A", 43) + "="
	for name, c := range map[string]struct {
		text  string
		right bool
		bytes int
	}{
		"none":                      {"redis: {}", true, 0},
		"32 bytes":                  {"redis: {encryption_key: " + good + "}", true, 32},
		"from a file":               {"redis: {encryption_key_file: k.txt}", true, 32},
		"31 bytes":                  {"redis: {encryption_key: " + strings.Repeat("A", 42) + "==}", false, 0},
		"no base64":                 {"redis: {encryption_key: " + strings.Repeat("-", 43) + "=}", false, 0},
		"a password instead of one": {"redis: {encryption_key: hunter2}", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := parse(c.text, nil, map[string]string{"conf/k.txt": good + "\n"})
			switch {
			case !c.right:
				if err == nil || !strings.Contains(err.Error(), "redis.encryption_key: must be 32 random bytes") || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("got %v", err)
				}
			case err != nil || len(cfg.Redis.Key()) != c.bytes:
				t.Errorf("got %v, want a key of %d bytes", err, c.bytes)
			}
		})
	}
}

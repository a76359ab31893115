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

// A vendor would refuse such a secret, and nobody sees white space.
func TestSecretsHaveNoWhiteSpaceAtTheirEnds(t *testing.T) {
	t.Parallel()
	const key = "apps: {shop: {xiaomi: {package_name: com.example.shop, %s}}}"
	const want = "apps.shop.xiaomi.app_secret%s: begins or ends with white space"
	for name, secret := range map[string]string{
		"a blank before": " hunter2", "a blank after": "hunter2 ", "a tab": "hunter2\t", "a line end before": "\nhunter2",
		"a no-break space": "hunter2\u00a0", "an ideographic space": "\u3000hunter2", "a zero width space": "hunter2\u200b",
		"a byte order mark": "hunter2\ufeff", "two byte order marks": "\ufeff\ufeffhunter2",
	} {
		for place, text := range map[string]string{
			"":      fmt.Sprintf(key, "app_secret: "+strconv.Quote(secret)),
			"$":     fmt.Sprintf(key, `app_secret: "${S}"`),
			"_file": fmt.Sprintf(key, "app_secret_file: s.txt"),
		} {
			_, err := parse(text, environ{"S": secret}, map[string]string{"conf/s.txt": secret + "\r\n"})
			if want := fmt.Sprintf(want, strings.TrimPrefix(place, "$")); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s, %q: got %v, want %s", name, place, err, want)
			}
		}
	}
	// What a shell or an editor adds to a file is no fault, and white space inside is the secret's own.
	for name, secret := range map[string]string{"line ends": "hunter2\r\n\n", "one byte order mark": "\ufeffhunter2", "white space inside": "hunter 2"} {
		if _, err := parse(fmt.Sprintf(key, "app_secret_file: s.txt"), nil, map[string]string{"conf/s.txt": secret}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parse(fmt.Sprintf(key, `app_secret: "${S}"`), environ{"S": "hunter2\n"}, nil); err == nil {
		t.Error("a line end in the environment: no error")
	}
	// So it is for what is no secret.
	if _, err := parse(`apps: {shop: {xiaomi: {package_name: "com.example.shop ", app_secret: hunter2}}}`, nil, nil); err == nil || !strings.Contains(err.Error(), "package_name: begins or ends with white space") {
		t.Errorf("white space after a package's name: got %v", err)
	}
	// A secret of several lines, such as a PEM, ends with a line end.
	if _, err := parse(fmt.Sprintf(key, `app_secret: "${S}"`), environ{"S": "-----BEGIN KEY-----\nQUJD\n-----END KEY-----\n"}, nil); err != nil {
		t.Error(err)
	}
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

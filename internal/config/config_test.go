package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func TestFind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, flag, env, want string }{
		{"the flag comes first", "a.yaml", "b.yaml", "a.yaml"},
		{"then the environment", "", "b.yaml", "b.yaml"},
		{"then the working folder", "", "", "./postrider.yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := config.Find(c.flag, func(name string) string {
				if name != "POSTRIDER_CONFIG" {
					t.Errorf("looked up %s", name)
				}
				return c.env
			})
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnEmptyFileHasTheDocumentedDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "redis:\nhttp:\nworker: {}\napps:\n", "\ufeff"} {
		cfg, err := parse(text, nil, nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want := config.Config{
			File:  "conf/postrider.yaml",
			Redis: config.Redis{URL: vendors.NewSecret("redis://127.0.0.1:6379/0")},
			HTTP:  config.HTTP{Listen: "127.0.0.1:8080"},
			Log:   config.Log{Level: "info", Format: "json"},
			Worker: config.Worker{
				Concurrency: 64, Linger: 10 * time.Millisecond, ShutdownTimeout: 20 * time.Second,
			},
			Retry:    config.Retry{Attempts: 8, First: time.Second, Max: 10 * time.Minute},
			Ledger:   config.Ledger{Keep: 7 * 24 * time.Hour},
			Feedback: config.Feedback{Guard: config.Guard{Min: 20, Ratio: 0.9}},
			Apps:     map[string]*config.App{},
			Tables:   cfg.Tables,
		}
		if !reflect.DeepEqual(*cfg, want) {
			t.Errorf("%q: got %+v, want %+v", text, *cfg, want)
		}
	}
}

const full = `
redis: {url: "rediss://:pw-of-redis@cache.example/2"}
http:
  listen: 0.0.0.0:8080
  username: ops
  password: ${PASSWORD}
log: {level: debug, format: console}
worker:
  vendors: [huawei, vivo]
  concurrency: ${CONCURRENCY}
  linger: 0
  shutdown_timeout: 1m
retry: {attempts: 3, first: 500ms, max: 1h}
ledger: {keep: 24h}
feedback:
  webhook: {url: "https://feed.example/invalid?key=1", secret_file: /run/hook}
  guard: {min: 5, ratio: 1}
apps:
  shop: &shop
    huawei:
      client_id: 0104
      client_secret_file: secrets/${WHICH}
      rate: 12.5
      batch: 500
      timeout: 30s
      delivery: at-most-once
      receipts: {user: hw, secret: c2VjcmV0LWtleQ==, key: base64}
    harmony:
      project_id: "7"
      private_key: |
        -----BEGIN PRIVATE KEY-----
        line
        -----END PRIVATE KEY-----
  news_2: *shop
  v.1:
    vivo: {app_id: 10004, app_key: k, app_secret: 's$$s$${x}', rate: 0, batch: 0}
`

func parseFull(t *testing.T) *config.Config {
	t.Helper()
	cfg, err := parse(full, environ{"PASSWORD": "a: ${b}\n- c", "CONCURRENCY": "7", "WHICH": "huawei"},
		disk{"conf/secrets/huawei": "from-a-file\r\n", "/run/hook": "hook ${PASSWORD}\n"})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestAllSettingsOfAFullFileAreRead(t *testing.T) {
	t.Parallel()
	cfg := parseFull(t)
	wantHTTP := config.HTTP{Listen: "0.0.0.0:8080", Username: "ops", Password: vendors.NewSecret("a: ${b}\n- c")}
	if !reflect.DeepEqual(cfg.HTTP, wantHTTP) {
		t.Error("a variable's value was parsed as YAML or expanded again")
	}
	wantWorker := config.Worker{Vendors: []string{"huawei", "vivo"}, Concurrency: 7, ShutdownTimeout: time.Minute}
	if !reflect.DeepEqual(cfg.Worker, wantWorker) {
		t.Errorf("got %+v, want %+v", cfg.Worker, wantWorker)
	}
	if want := (config.Retry{Attempts: 3, First: 500 * time.Millisecond, Max: time.Hour}); cfg.Retry != want {
		t.Errorf("got %+v, want %+v", cfg.Retry, want)
	}
	if hook := cfg.Feedback.Webhook; hook.Secret.Reveal() != "hook ${PASSWORD}" || hook.URL.Reveal() != "https://feed.example/invalid?key=1" {
		t.Error("the webhook's secret is not the file's text without its line end")
	}
	if cfg.Log != (config.Log{Level: "debug", Format: "console"}) || cfg.Ledger.Keep != 24*time.Hour || cfg.Feedback.Guard != (config.Guard{Min: 5, Ratio: 1}) {
		t.Errorf("got %+v, %+v, %+v", cfg.Log, cfg.Ledger, cfg.Feedback.Guard)
	}
}

func TestAllSettingsOfAccountsAreRead(t *testing.T) {
	t.Parallel()
	cfg := parseFull(t)
	for _, app := range []string{"shop", "news_2"} {
		rate := 12.5
		got, want := cfg.Apps[app].Vendors["huawei"], &config.Account{
			Settings: &huaweiSettings{ClientID: "0104", ClientSecret: vendors.NewSecret("from-a-file")},
			Rate:     &rate, Batch: 500, Timeout: 30 * time.Second, Delivery: push.AtMostOnce,
			Receipts: config.Receipts{User: "hw", Secret: vendors.NewSecret("c2VjcmV0LWtleQ=="), Key: config.Base64},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v %+v, want %+v %+v", app, got, got.Settings, want, want.Settings)
		}
		if key := string(got.Receipts.HMACKey()); key != "secret-key" {
			t.Errorf("%s: got a key of %d bytes, want the decoded one", app, len(key))
		}
		pem := cfg.Apps[app].Vendors["harmony"].Settings.(*harmonySettings).PrivateKey
		if pem.Reveal() != "-----BEGIN PRIVATE KEY-----\nline\n-----END PRIVATE KEY-----\n" {
			t.Errorf("%s: the private key lost its lines", app)
		}
	}
	if cfg.Apps["shop"].Vendors["huawei"] == cfg.Apps["news_2"].Vendors["huawei"] {
		t.Error("two apps share one account")
	}
	vivo := cfg.Apps["v.1"].Vendors["vivo"].Settings.(*vivoSettings)
	if vivo.AppSecret.Reveal() != "s$$s${x}" || vivo.AppID != 10004 {
		t.Error("dollar signs changed")
	}
}

func TestAccountDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := parse("apps: {shop: {meizu: {app_secret: s}, vivo: {app_key: k, app_secret: s, rate: 0, batch: 0}}}", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	meizu := cfg.Apps["shop"].Vendors["meizu"]
	want := &config.Account{
		Settings: &meizuSettings{AppSecret: vendors.NewSecret("s")}, Batch: 100, Timeout: 10 * time.Second,
		Delivery: push.AtLeastOnce, Receipts: config.Receipts{Key: config.UTF8},
	}
	if !reflect.DeepEqual(meizu, want) {
		t.Errorf("got %+v, want %+v", meizu, want)
	}
	if got := meizu.RateOf(vendors.Spec{Rate: 20}); got != 20 {
		t.Errorf("without a rate: got %v, want the vendor's 20", got)
	}
	vivo := cfg.Apps["shop"].Vendors["vivo"]
	if got := vivo.RateOf(vendors.Spec{Rate: 500}); got != 0 || vivo.Batch != 1000 {
		t.Errorf("rate 0, batch 0: got %v and %d, want no limit and the vendor's 1000", got, vivo.Batch)
	}
	if meizu.Receipts.HMACKey() != nil {
		t.Error("an account without a receipts secret has a key")
	}
}

func TestServed(t *testing.T) {
	t.Parallel()
	const apps = "apps: {a: {meizu: {app_secret: s}, xiaomi: {app_secret: s}}, b: {meizu: {app_secret: s}}}\n"
	for _, c := range []struct {
		name, text string
		want       []string
		problem    string
	}{
		{"without a list it is every vendor of any app", apps, []string{"meizu", "xiaomi"}, ""},
		{"a list selects some of them", apps + "worker: {vendors: [xiaomi, huawei]}", []string{"xiaomi"}, ""},
		{"a list of other vendors serves nothing", apps + "worker: {vendors: [huawei]}", nil, "worker.vendors"},
		{"a file without an app is for producers", "", nil, "apps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, err := parse(c.text, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := cfg.Served(); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			err = cfg.CheckWorker()
			var faults *config.Error
			switch {
			case c.problem == "" && err != nil:
				t.Errorf("got %v, want a worker that can run", err)
			case c.problem != "" && (!errors.As(err, &faults) || faults.Faults[0].Key != c.problem || faults.Faults[0].File == ""):
				t.Errorf("got %v, want a fault of %s", err, c.problem)
			}
		})
	}
}

func TestCodesOverride(t *testing.T) {
	t.Parallel()
	cfg, err := parse(`
codes:
  huawei:
    response/80300007: {class: retryable, remedy: backoff, tries: 2, action: none}
    http/503: {remedy: backoff}
    response/99: {class: permanent, remedy: drop-batch}
    response/98: {class: permanent, remedy: config}
    response/97: {class: retryable, remedy: slow-down, tries: 2}
`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	const source = "conf/postrider.yaml:"
	for _, want := range []classify.Row{
		{
			Vendor: "huawei", Level: classify.Response, Code: "80300007", Class: classify.Retryable, Remedy: classify.Backoff,
			Scope: classify.ScopeToken, Tries: 2, Meaning: "every token is invalid", Source: source + "4",
		},
		{
			Vendor: "huawei", Level: classify.HTTP, Code: "503", Class: classify.Retryable, Remedy: classify.Backoff,
			Scope: classify.ScopeApp, Meaning: "service unavailable", Source: source + "5",
		},
		{
			Vendor: "huawei", Level: classify.Response, Code: "99", Class: classify.Permanent, Remedy: classify.DropBatch,
			Scope: classify.ScopeBatch, Meaning: "an operator's rule", Source: source + "6",
		},
		{
			Vendor: "huawei", Level: classify.Response, Code: "98", Class: classify.Permanent, Remedy: classify.Config,
			Scope: classify.ScopeBatch, Meaning: "an operator's rule", Source: source + "7",
		},
		{
			Vendor: "huawei", Level: classify.Response, Code: "97", Class: classify.Retryable, Remedy: classify.SlowDown,
			Scope: classify.ScopeBatch, Tries: 2, Meaning: "an operator's rule", Source: source + "8",
		},
	} {
		if got, known := cfg.Tables["huawei"].Lookup(want.Level, want.Code); got != want || !known {
			t.Errorf("got %+v, %v, want %+v", got, known, want)
		}
	}
	if got, _ := cfg.Tables["honor"].Lookup(classify.Response, "80300007"); got.Class != classify.TokenInvalid {
		t.Errorf("another vendor's table changed to %+v", got)
	}
}

func TestLoadReadsSecretsRelativeToTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pw"), "from-a-file\n")
	path := filepath.Join(dir, "postrider.yaml")
	write(t, path, "http:\r\n  username: ops\r\n  password_file: pw\r\n")
	cfg, err := config.Load(path, specs(), os.LookupEnv)
	if err != nil || cfg.HTTP.Password.Reveal() != "from-a-file" || cfg.File != path {
		t.Errorf("got %v, %v", cfg, err)
	}
}

func TestLoadOfAMissingFileNamesItAndTheWaysToNameAnother(t *testing.T) {
	t.Parallel()
	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), specs(), os.LookupEnv)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.yaml") || !strings.Contains(err.Error(), "--config or $POSTRIDER_CONFIG") {
		t.Errorf("got %v, want an error that wraps fs.ErrNotExist, names the file and --config", err)
	}
}

func TestFilesThatAreTooLongAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := filepath.Join(dir, "long")
	write(t, long, strings.Repeat("#\n", 1<<20))
	if _, err := config.Load(long, specs(), os.LookupEnv); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %v, want a refusal of a configuration of 2 MiB", err)
	}
	path := filepath.Join(dir, "postrider.yaml")
	write(t, path, "http: {username: ops, password_file: long}\n")
	if _, err := config.Load(path, specs(), os.LookupEnv); err == nil || !strings.HasSuffix(err.Error(), "http.password_file: the file cannot be read: it is too long") {
		t.Errorf("got %v, want a refusal of a secret of 2 MiB", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheExampleLoads(t *testing.T) {
	t.Parallel()
	example := config.Example(registry.All())
	env, files := environ{}, disk{}
	for _, m := range regexp.MustCompile(`[^$]\$\{([A-Z_]+)\}`).FindAllStringSubmatch(example, -1) {
		env[m[1]] = "s-" + m[1]
	}
	pem, err := os.ReadFile("../../deploy/compose/secrets/harmony.pem")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\w+_file: ([\w./-]+)`).FindAllStringSubmatch(example, -1) {
		files["conf/"+m[1]] = "secret"
		if strings.HasSuffix(m[1], ".pem") {
			files["conf/"+m[1]] = string(pem)
		}
	}
	parse := func(text string, env environ, files disk) (*config.Config, error) {
		return config.Parse("conf/postrider.yaml", []byte(text), registry.All(), config.Source{Env: env.lookup, ReadFile: files.read})
	}
	cfg, err := parse(example, env, files)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Served(); !slices.Equal(got, []string{"huawei"}) {
		t.Errorf("unchanged, it serves %v, want huawei", got)
	}
	cfg, err = parse(uncomment(example), env, files)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Served(); len(got) != len(registry.All()) {
		t.Errorf("with all of it, it serves %v, want every vendor", got)
	}
	if row, _ := cfg.Tables["huawei"].Lookup(classify.Response, "80100003"); row.Tries != 2 {
		t.Errorf("got %+v, want the example's override", row)
	}
}

// uncomment removes the # of optional lines, except the second way to give a secret.
func uncomment(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		rest, ok := strings.CutPrefix(line[len(indent):], "#")
		block := strings.HasPrefix(rest, "  ") && !strings.HasPrefix(rest, "  (")
		if ok && rest != "" && (rest[0] != ' ' || block) && !strings.Contains(rest, "password_file") && !strings.Contains(rest, "client_secret_file") {
			lines[i] = indent + rest
		}
	}
	return strings.Join(lines, "\n")
}

package config

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// KeyEncoding says how receipts.secret becomes the key of an HMAC.
type KeyEncoding string

// The encodings.
const (
	UTF8   KeyEncoding = "utf8"   // the characters as they are
	Base64 KeyEncoding = "base64" // standard base64 with padding
)

// Receipts says how a vendor's delivery receipts prove themselves.
type Receipts struct {
	// User is the name that the vendor signs with; empty: any.
	User string `yaml:"user"`
	// Secret is the key of the signature and the last part of the path; empty:
	// the account takes no receipts.
	Secret vendors.Secret `yaml:"secret"`
	// Key is never empty.
	Key KeyEncoding `yaml:"key"`
	// URL is where the vendor reaches the worker, without /receipts; for vendors
	// that are told with every request. Empty: they are asked for no receipts.
	URL string `yaml:"url"`
}

// Address is what the vendor is told, secret included; "" without a URL.
func (r Receipts) Address(app, vendor string) string {
	if r.URL == "" || r.Secret.Empty() {
		return ""
	}
	return strings.TrimRight(r.URL, "/") + "/receipts/" + app + "/" + vendor + "/" + url.PathEscape(r.Secret.Reveal())
}

// HMACKey returns the key that the vendor signs with; nil without a secret.
func (r Receipts) HMACKey() []byte {
	if r.Secret.Empty() {
		return nil
	}
	if r.Key != Base64 {
		return []byte(r.Secret.Reveal())
	}
	key, err := base64.StdEncoding.DecodeString(r.Secret.Reveal())
	if err != nil {
		return nil // Load has refused it
	}
	return key
}

// apps reads the tenants.
func (d *decoder) apps(into map[string]*App) func(string, ast.Node) {
	return func(path string, n ast.Node) {
		for _, p := range d.pairs(path, n) {
			at := join(path, p.key)
			if !push.ValidApp(p.key) {
				d.fault(at, "is not an app's name: "+push.AppRule)
				continue
			}
			into[p.key] = d.app(at, p.value)
		}
	}
}

func (d *decoder) app(path string, n ast.Node) *App {
	app := &App{Vendors: map[string]*Account{}}
	keys := map[string]key{}
	names := make([]string, len(d.specs))
	for i, spec := range d.specs {
		names[i] = spec.Name
		keys[spec.Name] = key{read: func(path string, n ast.Node) { app.Vendors[spec.Name] = d.account(path, n, spec) }}
	}
	before := len(d.faults)
	d.mapping(path, n, keys)
	if len(app.Vendors) == 0 && len(d.faults) == before {
		d.fault(path, "an app needs a block for at least one of "+strings.Join(names, ", "))
	}
	return app
}

// account reads one block: the keys that every vendor's has, and its own.
func (d *decoder) account(path string, n ast.Node, spec vendors.Spec) *Account {
	a := &Account{
		Settings: spec.Settings(),
		Batch:    spec.Batch,
		Timeout:  10 * time.Second,
		Delivery: push.AtLeastOnce,
		Receipts: Receipts{Key: UTF8},
	}
	keys := d.bind(a.Settings)
	maps.Copy(keys, d.bind(a))
	d.mapping(path, n, keys)
	for _, f := range a.Settings.Faults() {
		d.foreign(join(path, f.Field), f.Reason)
	}
	d.checkAccount(path, a, spec)
	return a
}

func (d *decoder) checkAccount(path string, a *Account, spec vendors.Spec) {
	if a.Batch == 0 {
		a.Batch = spec.Batch
	}
	d.want(a.Batch >= 1 && a.Batch <= spec.Batch, path+".batch", fmt.Sprintf("wants 1 to %d, the vendor's limit", spec.Batch))
	d.want(a.RateOf(spec) >= 0, path+".rate", fmt.Sprintf("wants 0 or more %s per second; 0 is no limit", spec.Unit))
	d.want(a.Timeout > 0, path+".timeout", "wants a duration over 0")
	d.want(a.Delivery == push.AtLeastOnce || a.Delivery == push.AtMostOnce, path+".delivery",
		fmt.Sprintf("wants %s or %s", push.AtLeastOnce, push.AtMostOnce))
	d.checkReceipts(path+".receipts", a.Receipts)
	d.checkReceiptURL(path, a.Receipts, spec)
}

func (d *decoder) checkReceipts(path string, r Receipts) {
	d.want(r.Key == UTF8 || r.Key == Base64, path+".key", fmt.Sprintf("wants %s or %s", UTF8, Base64))
	d.want(!r.Secret.Empty() || r.User == "" && r.Key == UTF8 && r.URL == "", path+".secret",
		"is missing: without it the account takes no receipts, and user, key and url say nothing")
	d.want(r.Secret.Empty() || len(r.HMACKey()) > 0, path+".secret", "is not standard base64, as receipts.key says it is")
}

// checkReceiptURL measures the address in bytes, since vendors refuse whole
// requests for one that is too long. path is apps.<app>.<vendor>.
func (d *decoder) checkReceiptURL(path string, r Receipts, spec vendors.Spec) {
	for _, f := range httpx.CheckAddress("url", r.URL, true) {
		d.foreign(path+".receipts.url", f.Reason)
	}
	if spec.Receipts == nil || spec.Receipts.LongestURL == 0 {
		return
	}
	app := strings.TrimSuffix(strings.TrimPrefix(path, "apps."), "."+spec.Name)
	n, most := len(r.Address(app, spec.Name)), spec.Receipts.LongestURL
	d.want(n <= most, path+".receipts.url",
		fmt.Sprintf("makes an address of %d bytes with the app, the vendor and the secret: %s takes %d", n, spec.Title, most))
}

// Package harmony speaks Huawei Push Kit's API v3: HarmonyOS 5 and later.
//
// It knows the request, the answer in every shape that is documented, and how
// to sign the access token, which here is a JWT of our own. It refuses to know
// API v1 and v2 (package huawei does), what a code leads to (codes.tsv and
// package classify say so), and how long a signed token is used.
package harmony

import (
	_ "embed" // for the files below
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "harmony"

// Limits of API v3:
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param
// and, for test messages,
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-response:
// more tokens are answered with 80300030. A message that an override makes a
// test is not seen as one; its requests are halved until they are taken.
const (
	maxTokens  = 1000    // in one request
	maxTests   = 10      // in one request with a test message
	maxPayload = 4096    // bytes of the body without its tokens
	maxTTL     = 1296000 // seconds: 15 days
	maxBadge   = 99
)

// minRate is the lowest rate that an app is granted, in tokens a second: the
// vendor counts devices, not requests. The figure is Tencent's, Huawei shows an
// app's own in its console: https://cloud.tencent.com/document/product/548/41407
const minRate = 6000

//go:embed codes.tsv
var codesTSV string

//go:embed mapping.tsv
var mappingTSV string

//go:embed demo.yaml
var demoYAML string

//go:embed example.yaml
var exampleYAML string

var codes = sync.OnceValue(func() *classify.Table { return classify.MustParse(Name, codesTSV) })

var mapping = sync.OnceValue(func() []vendors.Mapping { return vendors.MustParseMapping(mappingTSV) })

// Spec describes the vendor.
func Spec() vendors.Spec {
	return vendors.Spec{
		Name:      Name,
		Title:     "Huawei Push Kit (HarmonyOS 5)",
		Batch:     maxTokens,
		TestBatch: maxTests,
		Unit:      vendors.Tokens,
		Rate:      minRate,
		Codes:     codes(),
		Check:     check,
		Settings:  func() vendors.Settings { return new(Settings) },
		Mapping:   mapping(),
		Demo:      demoYAML,
		Example:   exampleYAML,
		Limits:    limits(),
		KeyFields: []string{"appMessageId"},
		Quotas:    quotas(),
		Receipts:  receiptSpec(),
	}
}

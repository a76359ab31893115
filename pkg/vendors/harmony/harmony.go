// Package harmony is the adapter for Huawei Push Kit's API v3: HarmonyOS 5 and later.
//
// It knows the request, every documented form of the answer, and how to sign the
// access token, which here is a JWT made by the adapter. It does not know API v1 and
// v2 (package huawei does), what follows from a code (codes.tsv and package classify
// do), or how long a signed token is used.
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
// the vendor answers more tokens with 80300030. If only an override makes a message a
// test message, its requests are halved until they are accepted.
const (
	maxTokens  = 1000    // in one request
	maxTests   = 10      // in one request with a test message
	maxPayload = 4096    // bytes of the body without its tokens
	maxTTL     = 1296000 // seconds: 15 days
	maxBadge   = 99
)

// minRate is the lowest rate that an app is granted, in tokens a second: the vendor
// counts devices, not requests. The number is from Tencent; Huawei shows an app's
// rate in its console: https://cloud.tencent.com/document/product/548/41407
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

// Package huawei is the adapter for Huawei Push Kit's API v1, or v2 if a project id
// is set: Android and HarmonyOS up to 4.
//
// It knows the request, every observed form of the answer, and the OAuth grant. It
// does not know HarmonyOS 5 (API v3, package harmony), what follows from a code
// (codes.tsv and package classify do), or when to try again.
package huawei

import (
	_ "embed" // for the files below
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "huawei"

// Huawei's limits:
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197
const (
	maxTokens  = 1000    // in one request
	maxPayload = 4096    // bytes of message without its tokens
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
		Name:     Name,
		Title:    "Huawei Push Kit (HMS)",
		Batch:    maxTokens,
		Unit:     vendors.Tokens,
		Rate:     minRate,
		Codes:    codes(),
		Check:    check,
		Settings: func() vendors.Settings { return new(Settings) },
		Mapping:  mapping(),
		Demo:     demoYAML,
		Example:  exampleYAML,
		Limits:   limits(),
		Quotas:   quotas(),
		Receipts: receiptSpec(),
	}
}

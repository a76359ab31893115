// Package honor is the adapter for the HONOR Push service.
//
// It knows the request, every observed form of the answer, and the OAuth grant. It
// does not know Huawei, whose codes look the same but have other meanings, what
// follows from a code (codes.tsv and package classify do), or when to try again.
package honor

import (
	_ "embed" // for the files below
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "honor"

// Honor's limits: https://developer.honor.com/cn/docs/11002/reference/downlink-message
// That page does not say whether the 4,096 bytes include the tokens. They cannot,
// since 1,000 tokens are many times as long.
const (
	maxTokens  = 1000    // in one request
	maxPayload = 4096    // bytes of the body without its tokens
	maxTTL     = 1296000 // seconds: 15 days
	maxBadge   = 99
)

// rate is the rate of every app, in tokens a second. The vendor does not say whether
// it counts tokens or requests; tokens is the stricter assumption.
const rate = 3000

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
		Title:    "HONOR Push",
		Batch:    maxTokens,
		Unit:     vendors.Tokens,
		Rate:     rate,
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

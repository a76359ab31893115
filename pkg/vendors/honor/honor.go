// Package honor speaks the HONOR Push service.
//
// It knows the request, the answer in every shape that was seen, and the OAuth
// grant. It refuses to know Huawei, whose codes look the same and mean other
// things, what a code leads to (codes.tsv and package classify say so), and
// when to try again.
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
// Whether the 4,096 bytes hold the tokens is not said there; they cannot, since
// 1,000 tokens are many times as long.
const (
	maxTokens  = 1000    // in one request
	maxPayload = 4096    // bytes of the body without its tokens
	maxTTL     = 1296000 // seconds: 15 days
	maxBadge   = 99
)

// rate is every app's; the vendor does not say whether it counts tokens or
// requests, so it is taken for tokens.
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

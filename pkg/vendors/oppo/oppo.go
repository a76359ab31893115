// Package oppo is the adapter for OPPO Push's server API.
//
// It knows the four requests (one message to one phone, many messages to many
// phones, uploading a message, sending an uploaded message), every observed form of
// the answers, the signed grant, and one page of OPPO's list of invalid registration
// ids. It does not know what follows from a code (codes.tsv and package classify
// do), or when to try again or fetch the list.
package oppo

import (
	_ "embed" // for the files below
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "oppo"

// maxTokens is the largest number of registration ids in a broadcast, and of messages
// in a unicast_batch:
// https://open.oppomobile.com/new/developmentDoc/info?id=11238
const maxTokens = 1000

// minRate is the lowest rate that an app is granted: users a second, over all
// endpoints. A footnote of the same page says requests; a limit on users is never
// too fast: https://cloud.tencent.com/document/product/548/41407
const minRate = 5000

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
		Title:     "OPPO Push",
		Batch:     maxTokens,
		MaxMixed:  maxTokens,
		Unit:      vendors.Tokens,
		Rate:      minRate,
		Codes:     codes(),
		Check:     check,
		Settings:  func() vendors.Settings { return new(Settings) },
		Mapping:   mapping(),
		Demo:      demoYAML,
		Example:   exampleYAML,
		Limits:    limits(),
		KeyFields: []string{"app_message_id"},
		Quotas:    quotas(),
		Receipts:  receiptSpec(),
	}
}

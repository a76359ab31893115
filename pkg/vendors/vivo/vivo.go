// Package vivo is the adapter for vivo Push's server API.
//
// It knows the three requests (one message to one phone, uploading a message,
// sending an uploaded message to a list), their answers, and the signed grant. It
// does not know what follows from a code (codes.tsv and package classify do), when to
// try again, or how large a quota is.
package vivo

import (
	_ "embed" // for the files below
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "vivo"

// A list push has 2 to 1,000 regIds; a single regId is sent by another endpoint:
// https://dev.vivo.com.cn/documentCenter/doc/362
const (
	maxTokens = 1000
	minTokens = 2
)

// minRate is the lowest rate that an app is granted, in messages a second. A message
// to a thousand phones counts as a thousand:
// https://cloud.tencent.com/document/product/548/41407
const minRate = 3000

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
		Title:     "vivo Push",
		Batch:     maxTokens,
		MinBatch:  minTokens,
		Unit:      vendors.Messages,
		Rate:      minRate,
		Codes:     codes(),
		Check:     check,
		Settings:  func() vendors.Settings { return new(Settings) },
		Mapping:   mapping(),
		Demo:      demoYAML,
		Example:   exampleYAML,
		Limits:    limits(),
		KeyFields: []string{"requestId"},
		Quotas:    quotas(),
		Receipts:  receiptSpec(),
	}
}

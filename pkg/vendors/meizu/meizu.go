// Package meizu is the adapter for Meizu's Flyme push: one message to up to 100 push
// ids, signed with MD5.
//
// It knows the request, its signature and every observed form of the answer. It does
// not know Meizu's other product, the aggregator UPS, what follows from a code
// (codes.tsv and package classify do), or when to try again.
package meizu

import (
	_ "embed" // for the files below
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "meizu"

// Meizu's limits: https://github.com/MEIZUPUSH/PushAPI
const (
	maxTokens  = 100  // in one request; 1,000 until August 2023
	maxTitle   = 32   // UTF-16 units, as the vendor's server is written in Java
	maxBody    = 100  // same, for a notification's content
	maxContent = 2000 // same, for a pass-through message
	maxHours   = 72   // how long a message may wait for a phone
)

// minRate is the lowest published rate of an app, in requests a second. It is from
// another party; Meizu says that there is a limit but not its value:
// https://help.aliyun.com/document_detail/616229.html
const minRate = 200

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
		Title:    "Meizu Flyme Push",
		Batch:    maxTokens,
		Unit:     vendors.Requests,
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

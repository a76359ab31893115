// Package xiaomi is the adapter for the Xiaomi push server API: one message to many
// registration ids (API v3), or many messages to one id each (API v2).
//
// It knows the form, every observed form of the answer, and which parts of a
// successful answer are failures. It does not know aliases, accounts and topics, what
// follows from a code (codes.tsv and package classify do), or when to try again. There
// is no access token: the secret is sent in a header.
package xiaomi

import (
	_ "embed" // for the files below
	"sync"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "xiaomi"

// Xiaomi's limits: https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559
const (
	maxTokens    = 1000 // in one request with one message
	maxTitle     = 49   // characters: "fewer than 50"
	maxBody      = 127  // characters: "fewer than 128"
	maxExtras    = 10
	maxExtraSize = 1024 // characters of all extras, keys and values

	// How long a message may wait for a phone depends on the class of its channel.
	maxPublicTTL  = 24 * time.Hour
	maxPrivateTTL = 10 * 24 * time.Hour
)

// maxMessages is the largest number of different messages in one request. Xiaomi's
// document gives no number and integrators report 1,000. It is half of that, since a
// request over the limit would fail as a whole.
const maxMessages = 500

// minRate is the lowest rate that an app is granted, in requests a second, each
// with up to 1,000 tokens: https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1656
const minRate = 500

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
		Title:     "Xiaomi Mi Push",
		Batch:     maxTokens,
		MaxMixed:  maxMessages,
		Unit:      vendors.Requests,
		Rate:      minRate,
		Codes:     codes(),
		Check:     check,
		Settings:  func() vendors.Settings { return new(Settings) },
		Mapping:   mapping(),
		Demo:      demoYAML,
		Example:   exampleYAML,
		Limits:    limits(),
		KeyFields: []string{"extra.jobkey"},
		Quotas:    quotas(),
		Receipts:  receiptSpec(),
	}
}

// Package tim is the adapter for the server API of Tencent's IM (Chat): its push
// service, or its chat messages to several accounts, which reach a phone as an offline
// push.
//
// It knows the requests, every observed form of the answers, and how a UserSig is
// made. It does not know the result of the push for an accepted message (a callback
// reports it much later), what follows from a code (codes.tsv and package classify
// do), or when to try again.
//
// A token is an account of the app at Tencent: a UserID or a RegistrationID.
package tim

import (
	_ "embed" // for the files below
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "tim"

// Tencent's limits.
const (
	// https://cloud.tencent.com/document/product/269/108906 and
	// https://cloud.tencent.com/document/product/269/1612: accounts in one request.
	maxTokens = 500
	// https://cloud.tencent.com/document/product/269/1671, code 93000: bytes of a request. It is
	// measured without the accounts, since 500 accounts can have more bytes than that.
	maxPayload = 12 << 10
	// https://cloud.tencent.com/document/product/269/1612: seconds, 7 days.
	maxLife = 604800
)

// minRate is the rate of the push service for an app without a plan, in accounts a
// second: https://cloud.tencent.com/document/product/269/137903
const minRate = 30

// chatPace is the limit of openim/batchsendmsg, 12,000 accounts a minute, less one
// request, in accounts a second: https://cloud.tencent.com/document/product/269/1612
const chatPace = (12_000 - maxTokens) / 60.0

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
		Title:     "Tencent IM (Chat)",
		Batch:     maxTokens,
		Unit:      vendors.Tokens,
		Rate:      minRate,
		Codes:     codes(),
		Check:     check,
		Settings:  func() vendors.Settings { return new(Settings) },
		Mapping:   mapping(),
		Demo:      demoYAML,
		Example:   exampleYAML,
		Limits:    limits(),
		KeyFields: []string{"MsgRandom", "DataId"},
		Quotas:    quotas(),
		Receipts:  receiptSpec(),
	}
}

// Package tim speaks the server API of Tencent's IM (Chat): its push service,
// or its chat messages to many, which reach a phone as an offline push.
//
// It knows the requests, the answers in every shape that was seen, and how a
// UserSig is made. It refuses to know what the push of an accepted message came
// to (a callback says so, much later), what a code leads to (codes.tsv and
// package classify say so), and when to try again.
//
// A token is an account of the app's at Tencent: a UserID or a RegistrationID.
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
	// https://cloud.tencent.com/document/product/269/1671, code 93000: bytes of a request, measured
	// without its accounts, which alone may have more.
	maxPayload = 12 << 10
	// https://cloud.tencent.com/document/product/269/1612: seconds, 7 days.
	maxLife = 604800
)

// minRate is what the push service takes of an app without a plan, in accounts
// a second: https://cloud.tencent.com/document/product/269/137903
const minRate = 30

// chatPace is under the 12,000 accounts that openim/batchsendmsg takes in a
// minute by less than a request: https://cloud.tencent.com/document/product/269/1612
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

package vivo

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// The limits: https://dev.vivo.com.cn/documentCenter/doc/362
// Older versions of the document count the columns of title and content; newer
// versions count characters. The older rule is stricter.
const (
	maxTitle   = 40
	maxContent = 100
	maxURL     = 1000 // characters of skipContent with skipType 2
	maxSkip    = 1024 // characters of skipContent with others
	maxPairs   = 10   // of clientCustomMap
	maxCustom  = 1024 // characters of its keys and values
)

const overridesField = "message.overrides." + Name

// check reports the parts of a message that break a hard limit of vivo.
func check(m *push.Message) []push.Fault {
	if m.Kind == push.Data {
		return []push.Fault{{Field: "message.kind", Reason: "vivo has no data messages: send a notification, or leave vivo out of the targets"}}
	}
	faults := body.CheckClick(m.Click)
	override := m.Overrides[Name]
	if f := overrides.Faults(override); len(f) > 0 {
		return append(faults, f...) // without a merged message there is no size
	}
	raw, err := payload(m, ident{appID: "1", ttl: listMost})
	if err != nil {
		return append(faults, push.Fault{Field: "message", Reason: "cannot be encoded as JSON"})
	}
	return append(faults, sizeFaults(raw, override)...)
}

// effective has the measured fields of the request's root, with overrides merged.
type effective struct {
	Title       any            `json:"title"`
	Content     any            `json:"content"`
	SkipType    any            `json:"skipType"`
	SkipContent any            `json:"skipContent"`
	Custom      map[string]any `json:"clientCustomMap"`
}

func sizeFaults(raw, override []byte) []push.Fault {
	var e effective
	var own map[string]json.RawMessage
	if json.Unmarshal(raw, &e) != nil || len(override) > 0 && json.Unmarshal(override, &own) != nil {
		return []push.Fault{{Field: overridesField + ".clientCustomMap", Reason: "must be a JSON object of strings"}}
	}
	var faults []push.Fault
	// The fault names the override if it has the field, else the job's field.
	blame := func(field, from, reason string) {
		if _, overridden := own[field]; overridden {
			from = overridesField + "." + field
		}
		faults = append(faults, push.Fault{Field: from, Reason: reason})
	}
	measure := func(field, from string, v any, most int) {
		s, _ := v.(string)
		if size := width(s); size > most {
			blame(field, from, fmt.Sprintf("has %d columns (Chinese, Japanese and Korean characters count 2); vivo allows %d", size, most))
		} else if strings.TrimSpace(s) == "" {
			blame(field, from, "is required at vivo")
		}
	}
	measure("title", "message.title", e.Title, maxTitle)
	measure("content", "message.body", e.Content, maxContent)
	most := maxSkip
	if e.SkipType == float64(skipURL) {
		most = maxURL
	}
	skipContent, _ := e.SkipContent.(string)
	if size := utf8.RuneCountInString(skipContent); size > most {
		blame("skipContent", "message.click.target", fmt.Sprintf("has %d characters; vivo allows %d", size, most))
	}
	if reason := customFault(e.Custom); reason != "" {
		blame("clientCustomMap", "message.data", reason)
	}
	return faults
}

func customFault(custom map[string]any) string {
	size := 0
	for key, value := range custom {
		s, ok := value.(string)
		if !ok {
			return "must have only strings as values at vivo"
		}
		size += utf8.RuneCountInString(key) + utf8.RuneCountInString(s)
	}
	switch {
	case len(custom) > maxPairs:
		return fmt.Sprintf("has %d pairs; vivo allows %d", len(custom), maxPairs)
	case size > maxCustom:
		return fmt.Sprintf("has %d characters in keys and values; vivo allows %d", size, maxCustom)
	}
	return ""
}

// width counts characters, and wide characters twice. Emoji are not wide.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if isWide(r) {
			n++
		}
	}
	return n
}

func isWide(r rune) bool {
	punctuation := r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef
	return punctuation || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo)
}

func limits() []vendors.Limit {
	const unit = "columns (Chinese, Japanese and Korean characters count 2)"
	return []vendors.Limit{
		{Field: "message.title", Max: maxTitle, Unit: unit},
		{Field: "message.body", Max: maxContent, Unit: unit},
	}
}

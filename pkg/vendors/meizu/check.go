package meizu

import (
	"encoding/json"
	"fmt"
	"unicode/utf16"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const overridesField = "message.overrides." + Name

// check reports the parts of a message that break a hard limit of Meizu. If an
// override replaces a text, the new text is checked: so one job can have a longer
// title for all other vendors.
func check(m *push.Message) []push.Fault {
	var own override
	if raw := m.Overrides[Name]; len(raw) > 0 {
		if faults := overrides.Faults(raw); len(faults) > 0 {
			return faults // without a merged message there is no size
		}
		own = readOverride(raw)
	}
	if m.Kind == push.Data {
		return dataFaults(m, own)
	}
	faults := textFaults("message.title", "noticeBarInfo.title", m.Title, own.NoticeBarInfo.Title, maxTitle)
	faults = append(faults, textFaults("message.body", "noticeBarInfo.content", m.Body, own.NoticeBarInfo.Content, maxBody)...)
	return append(faults, body.CheckClick(m.Click)...)
}

// override has the texts with limits that an override may replace.
type override struct {
	Title         *string `json:"title"`
	Content       *string `json:"content"`
	NoticeBarInfo struct {
		Title   *string `json:"title"`
		Content *string `json:"content"`
	} `json:"noticeBarInfo"`
}

// readOverride ignores an override with other types; the vendor will refuse it.
func readOverride(raw []byte) override {
	var o override
	if err := json.Unmarshal(raw, &o); err != nil {
		return override{}
	}
	return o
}

// textFaults checks a text that a notification must have, or the text that replaces
// it.
func textFaults(field, key, text string, replaced *string, most int) []push.Fault {
	if replaced == nil && text == "" || replaced != nil && *replaced == "" {
		return []push.Fault{{Field: faultField(field, key, replaced), Reason: "is required for a notification at Meizu"}}
	}
	return lengthFaults(field, key, text, replaced, most)
}

// lengthFaults checks the length of a text, or of the text that replaces it.
func lengthFaults(field, key, text string, replaced *string, most int) []push.Fault {
	if replaced != nil {
		text = *replaced
	}
	if n := len(utf16.Encode([]rune(text))); n > most {
		return []push.Fault{{Field: faultField(field, key, replaced), Reason: fmt.Sprintf("has %d characters; Meizu allows %d", n, most)}}
	}
	return nil
}

// faultField returns the field that a text comes from.
func faultField(field, key string, replaced *string) string {
	if replaced != nil {
		return overridesField + "." + key
	}
	return field
}

func dataFaults(m *push.Message, own override) []push.Fault {
	text, err := body.Data(m.Data)
	if err != nil {
		return []push.Fault{{Field: "message.data", Reason: "cannot be encoded as JSON"}}
	}
	faults := lengthFaults("message.data", "content", text, own.Content, maxContent)
	return append(faults, lengthFaults("message.title", "title", m.Title, own.Title, maxTitle)...)
}

func limits() []vendors.Limit {
	const unit = "characters (those outside the BMP count 2)"
	return []vendors.Limit{
		{Field: "message.title", Max: maxTitle, Unit: unit},
		{Field: "message.body", Max: maxBody, Unit: unit},
	}
}

package push

import (
	"strings"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/push/text"
)

// texts reports strings of a message that no vendor would get unchanged: JSON
// silently replaces bytes that are not UTF-8, and a phone ends a text at a NUL.
func (f *faults) texts(m *Message) {
	f.text("message.channel", m.Channel)
	f.text("message.title", m.Title)
	f.text("message.body", m.Body)
	f.text("message.collapse_id", m.CollapseID)
	f.text("message.image", m.Image)
	f.text("message.sound", m.Sound)
	if m.Click != nil {
		f.text("message.click.target", m.Click.Target)
	}
	for key, value := range m.Data {
		if !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
			f.text("message.data", key)
			continue
		}
		f.text("message.data."+text.Name(key), value)
	}
	for vendor, raw := range m.Overrides {
		for path, why := range text.InJSON(raw) {
			f.add(fieldName(append([]string{"message", "overrides", vendor}, path...)), why)
		}
	}
}

func (f *faults) text(field, s string) {
	switch {
	case !utf8.ValidString(s):
		f.add(field, "is not UTF-8")
	case strings.ContainsRune(s, 0):
		f.add(field, "holds a NUL character: remove it")
	}
}

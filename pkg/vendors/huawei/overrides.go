package huawei

import (
	"encoding/json"

	"github.com/postrider/postrider/pkg/vendors/body"
)

// overrides reserves the fields of message that name the receivers.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "the request's message",
	Reserved: []string{"token", "topic", "condition"},
	Because:  "the job's targets say who gets the message",
}

// namesBadgeClass reports whether an override has android.notification.badge.class.
func namesBadgeClass(override []byte) bool {
	var o struct {
		Android struct {
			Notification struct {
				Badge struct {
					Class string `json:"class"`
				} `json:"badge"`
			} `json:"notification"`
		} `json:"android"`
	}
	return len(override) > 0 && json.Unmarshal(override, &o) == nil && o.Android.Notification.Badge.Class != ""
}

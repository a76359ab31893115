package meizu

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserves the fields that name the receivers or the sender. They are
// outside of messageJson, where an override has no effect, so an override with one of
// them is refused and not ignored.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "messageJson",
	Reserved: []string{"pushIds", "appId", "sign"},
	Because:  "targets and settings say who sends to whom",
}

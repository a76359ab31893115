package tim

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserves the fields that name the receivers or the sender. They are
// outside of OfflinePushInfo, where an override has no effect, so an override with one
// of them is refused and not ignored.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "OfflinePushInfo",
	Reserved: []string{"To_Account", "From_Account"},
	Because:  "targets and settings say who sends to whom",
}

package tim

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserve keys that say who gets the message or who sends it. Such keys
// stand beside OfflinePushInfo, where no override gets: one that is written all the
// same must not be passed over.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "OfflinePushInfo",
	Reserved: []string{"To_Account", "From_Account"},
	Because:  "targets and settings say who sends to whom",
}

package meizu

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserve keys that say who gets the message or who sends it. Such keys
// stand beside messageJson, where no override gets: one that is written all the
// same must not be passed over.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "messageJson",
	Reserved: []string{"pushIds", "appId", "sign"},
	Because:  "targets and settings say who sends to whom",
}

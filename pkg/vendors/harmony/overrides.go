package harmony

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserve the key of the body that says who gets it.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "the request's body",
	Reserved: []string{"target"},
	Because:  "the job's targets say who gets the message",
}

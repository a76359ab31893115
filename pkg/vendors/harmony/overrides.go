package harmony

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserve the key of the body that says who gets it.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "the request's body",
	Reserved: []string{"target", "payload.notification.appMessageId"},
	Because:  "the job says who gets the message, and its id which message it is",
}

package harmony

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserves the fields that name the receivers or identify the message.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "the request's body",
	Reserved: []string{"target", "payload.notification.appMessageId"},
	Because:  "the job says who gets the message, and its id which message it is",
}

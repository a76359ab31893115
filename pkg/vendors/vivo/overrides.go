package vivo

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserves the fields that name the receivers or identify the message or the
// app, and pushMode, which message.test sets in both requests of a list push.
var overrides = body.Overrides{
	Field:    overridesField,
	Into:     "the root of the request",
	Reserved: []string{"regId", "regIds", "alias", "aliases", "taskId", "requestId", "appId", "pushMode"},
	Because:  "the job says who gets the message, and its id which message it is",
}

package oppo

import "github.com/postrider/postrider/pkg/vendors/body"

// overrides reserves the fields that name the receivers or identify the message. In
// the form of save_message_content they would be there twice.
var overrides = body.Overrides{
	Field: overridesField,
	Into:  "the notification",
	Reserved: []string{
		"target_type", "target_value", "registration_id", "registration_ids", "alias", "aliases",
		"auth_token", "message_id", "app_message_id",
	},
	Because: "the job says who gets the message, and its id which message it is",
}

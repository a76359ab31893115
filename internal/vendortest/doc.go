// Package vendortest holds the conformance suite that every vendor's adapter has
// to pass, and what the adapters' own tests share.
//
// An adapter's folder calls the suite in a test of a few lines:
//
//	func TestConformance(t *testing.T) { vendortest.Run(t, nimbus.Spec(), "testdata") }
//
// The suite knows no vendor, no field of a request and no code. What it has to
// know beside the vendors.Spec is in the vendor's testdata folder:
//
//	settings.yaml         the settings for tests; %BASE% is the test server's address
//	tokens.txt            the tokens of every request, one a line
//	envelope.txt          an answer with %CODE%, for every row with the level response
//	token-envelope.txt    the same with %CODE% and %TOKEN%, for those rows with the
//	                      level token that no file in answers/ shows
//	auth-envelope.txt     the same with %CODE% and %SUB%, for rows with the level auth
//	answers/NAME.http     an answer, byte for byte, as the vendor documents it
//	answers/NAME.want     "level/code", then "index level/code" for each token with a
//	                      code of its own; or "error level/code"
//	requests/NAME.json    a push.Message, and NAME.golden the request made of it; a
//	                      name with the prefix receipt asks for receipts
//	auth/NAME.http .want  answers of the token endpoint: "grant ACCESS SECONDS" or "error level/code"
//	auth/request.golden   the request for an access token
//	auth/signed.golden    instead of all of auth/, for an adapter that signs its
//	                      access tokens itself: the decoded token
//	upload/message.json   for an Uploader: a message that has to be uploaded; other
//	                      .json files are more of them, each with its .golden
//	upload/NAME.http .want  answers to an upload: "uploaded ID SECONDS" or "error level/code"
//	upload/gone*.http     answers to a send whose uploaded message is gone
//	receipts/NAME.http .want  calls with receipts, and what is read from them
//	codes.golden          every row of the table: a changed or lost row is noticed
//	spec.golden           the numbers of the Spec
//	seed-codes.tsv        codes from the vendor's documents that the table must
//	                      have; optional
//	unkeyed.txt           kinds of messages that the vendor takes no idempotency key
//	                      for, one a line; optional
//
// answers/success.http accepts every token, and one of the answers repeats
// %TOKEN% and %SECRET%. %TOKEN%, %ACCESS% and %SECRET% in an answer stand for what
// was sent. NAME.tokens.txt and NAME.settings.yaml beside a fixture replace the
// tokens and settings for it.
//
// With -update the golden and .want files are written; review the difference
// like code.
//
// Only tests import this package.
package vendortest

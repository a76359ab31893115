// Package vendortest holds the conformance suite that every vendor's adapter has
// to pass, and what the adapters' own tests share.
//
// An adapter's folder calls the suite in a test of a few lines:
//
//	func TestConformance(t *testing.T) { vendortest.Run(t, nimbus.Spec(), "testdata") }
//
// The suite knows no vendor, no field of a request and no code. It gets them from
// the vendors.Spec and from the files of the vendor's testdata folder:
//
//	settings.yaml         the settings for tests; %BASE% is the test server's address
//	tokens.txt            the tokens of every request, one per line
//	envelope.txt          an answer with %CODE%, for every row with the level response
//	token-envelope.txt    the same with %CODE% and %TOKEN%, for rows with the level
//	                      token that no file in answers/ has
//	auth-envelope.txt     the same with %CODE% and %SUB%, for rows with the level auth
//	answers/NAME.http     an answer, byte for byte, as the vendor documents it
//	answers/NAME.want     "level/code", then "index level/code" for each token with a
//	                      code of its own; or "error level/code"
//	requests/NAME.json    a push.Message; NAME.golden is the request made of it; if
//	                      NAME begins with receipt, the request asks for receipts
//	auth/NAME.http .want  answers of the token endpoint: "grant ACCESS SECONDS" or "error level/code"
//	auth/request.golden   the request for an access token
//	auth/signed.golden    instead of all of auth/, for an adapter that signs its
//	                      access tokens itself: the decoded token
//	upload/message.json   for an Uploader: a message that has to be uploaded; other
//	                      .json files are further messages, each with its .golden
//	upload/NAME.http .want  answers to an upload: "uploaded ID SECONDS" or "error level/code"
//	upload/gone*.http     answers to a send whose uploaded message is gone
//	receipts/NAME.http .want  calls with receipts, and what is read from them
//	codes.golden          every row of the table, so that a changed or lost row fails
//	spec.golden           the numbers of the Spec
//	seed-codes.tsv        codes from the vendor's documents that the table must
//	                      have; optional
//	unkeyed.txt           kinds of messages for which the vendor has no idempotency
//	                      key, one per line; optional
//
// answers/success.http accepts every token, and at least one of the answers
// contains %TOKEN% and %SECRET%. %TOKEN%, %ACCESS% and %SECRET% in an answer are
// replaced with the values of the request. NAME.tokens.txt and NAME.settings.yaml
// next to the fixture NAME replace the tokens and settings for it.
//
// With -update the golden and .want files are written; review the difference
// like code.
//
// Only tests import this package.
package vendortest

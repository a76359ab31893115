// Package text checks and displays text from outside. It detects the encoding of
// files, finds invalid strings in JSON, masks words that may be push tokens, and
// escapes what a terminal would act on.
//
// It knows no field of a job and no vendor.
package text

package vendors

import (
	"slices"

	"github.com/postrider/postrider/pkg/classify"
)

// Believed is what to make of a code that came with an HTTP status. With a
// status other than 2xx it may come from a proxy, or from another service than
// the one that was asked: one that would count a token as accepted, or as dead,
// is not believed, and the status is the code. Others are: vendors do explain
// refusals in the body, and nothing is lost by them. Status 0 is none, and leaves
// the code as it is.
func Believed(t *classify.Table, status int, c classify.Code) classify.Code {
	if status == 0 || status/100 == 2 || !decides(t, c) {
		return c
	}
	h := HTTPCode(status)
	h.Text = c.Text
	return h
}

// Believed is the answer with codes that its Status lets be believed.
func (a Answer) Believed(t *classify.Table) Answer {
	if a.Status == 0 || a.Status/100 == 2 {
		return a
	}
	a.Code = Believed(t, a.Status, a.Code)
	a.Tokens = slices.DeleteFunc(slices.Clone(a.Tokens), func(tc TokenCode) bool { return decides(t, tc.Code) })
	return a
}

// decides tells whether the code counts a token as accepted or as dead.
func decides(t *classify.Table, c classify.Code) bool {
	row, _ := t.Lookup(c.Level, c.Code)
	return row.Class == classify.Success || row.Class == classify.TokenInvalid
}

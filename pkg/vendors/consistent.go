package vendors

import (
	"slices"

	"github.com/postrider/postrider/pkg/classify"
)

// ConsistentCode returns the code to use for an answer with an HTTP status. With a
// status other than 2xx a code may come from a proxy, or from another service than
// the one that was called. Then a code that would count a token as accepted or as
// invalid is replaced by the status. All other codes are kept: vendors explain
// refusals in the body, and these codes lose no message and no token. Status 0 means
// that there is no status, and keeps the code.
func ConsistentCode(t *classify.Table, status int, c classify.Code) classify.Code {
	if status == 0 || status/100 == 2 || !decides(t, c) {
		return c
	}
	h := HTTPCode(status)
	h.Text = c.Text
	return h
}

// Consistent returns the answer with only those codes that its Status does not
// contradict. See ConsistentCode.
func (a Answer) Consistent(t *classify.Table) Answer {
	if a.Status == 0 || a.Status/100 == 2 {
		return a
	}
	a.Code = ConsistentCode(t, a.Status, a.Code)
	a.Tokens = slices.DeleteFunc(slices.Clone(a.Tokens), func(tc TokenCode) bool { return decides(t, tc.Code) })
	return a
}

// decides reports whether the code counts a token as accepted or as invalid.
func decides(t *classify.Table, c classify.Code) bool {
	row, _ := t.Lookup(c.Level, c.Code)
	return row.Class == classify.Success || row.Class == classify.TokenInvalid
}

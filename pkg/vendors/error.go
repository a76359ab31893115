package vendors

import (
	"fmt"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/classify"
)

// Error says why a request has no answer, or why a grant was refused. errors.As finds it.
type Error struct {
	Op         string // "send" or "fetch access token"
	Code       classify.Code
	Status     int // the HTTP status of a refusal, else 0. See Believed
	RetryAfter time.Duration
	// Unsent: not one byte of the request was written to the vendor, so it cannot
	// have accepted anything. False also when that is not known.
	Unsent bool
	Err    error // the cause, if it was not the vendor's word; holds no URL, token or secret
}

// Error formats the operation, the code and the cause.
func (e *Error) Error() string {
	s := e.Op + ": " + e.Code.String()
	if e.Code.Text != "" {
		s += " (" + e.Code.Text + ")"
	}
	if e.Err != nil {
		s += fmt.Sprintf(": %v", e.Err)
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPCode is the code for an answer whose body says nothing.
func HTTPCode(status int) classify.Code {
	return classify.Code{Level: classify.HTTP, Code: strconv.Itoa(status)}
}

// MalformedError is the error for a 200 whose body is not in the vendor's format.
func MalformedError(op string, err error) error {
	return &Error{Op: op, Code: classify.Code{Level: classify.Transport, Code: classify.Malformed}, Err: err}
}

// UnsentError is the error for a request that was never made. Check keeps
// messages that cannot be encoded out.
func UnsentError(op string, err error) error {
	return &Error{Op: op, Code: classify.Code{Level: classify.Transport, Code: classify.Dial}, Unsent: true, Err: err}
}

package vendors

import (
	"fmt"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/classify"
)

// Error says why a request has no answer, or why a grant or an upload was
// refused. errors.As finds it.
type Error struct {
	// Op is the operation: "send" or "fetch access token".
	Op string
	// Code says what happened. Its level is transport if there is no answer.
	Code classify.Code
	// Status is the HTTP status of a refusal, else 0. See ConsistentCode.
	Status int
	// RetryAfter is the wait that the Retry-After header asks for, or 0.
	RetryAfter time.Duration
	// Unsent says that not one byte of the request was written to the vendor, so
	// that it cannot have accepted anything. It is false if that is not known.
	Unsent bool
	// Err is the cause, if it is not the vendor's answer. It holds no URL, token or
	// secret.
	Err error
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

// HTTPCode returns the code for an answer whose body has none.
func HTTPCode(status int) classify.Code {
	return classify.Code{Level: classify.HTTP, Code: strconv.Itoa(status)}
}

// MalformedError returns the *Error for a 2xx answer whose body does not have the
// vendor's format.
func MalformedError(op string, err error) error {
	return &Error{Op: op, Code: classify.Code{Level: classify.Transport, Code: classify.Malformed}, Err: err}
}

// UnsentError returns the *Error for a request that was not made. Spec.Check
// refuses messages that cannot be encoded, so this is rare.
func UnsentError(op string, err error) error {
	return &Error{Op: op, Code: classify.Code{Level: classify.Transport, Code: classify.Dial}, Unsent: true, Err: err}
}

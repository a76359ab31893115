// Package classify looks up what a vendor's answer means:
// (vendor, level, code) → class, remedy and scope.
//
// It knows the code tables, the defaults for HTTP statuses and transport errors,
// and how to treat an unknown code. It does not know any vendor's protocol, and it
// decides nothing: package retry does.
package classify

import "fmt"

// Class says what happened to a token.
type Class string

// The classes. An unknown code is never Success or TokenInvalid.
const (
	Success      Class = "success"       // the vendor accepted the token
	Retryable    Class = "retryable"     // the same request may succeed later
	Permanent    Class = "permanent"     // the same request will fail again
	TokenInvalid Class = "token-invalid" // the token cannot be reached; the feed gets it
)

// Remedy says what postrider does about an answer.
type Remedy string

// The remedies.
const (
	None        Remedy = "none"
	Backoff     Remedy = "backoff"      // retry later; counts an attempt
	RefreshAuth Remedy = "refresh-auth" // retry once with a new access token, then Config
	SlowDown    Remedy = "slow-down"    // pause the (app, vendor) and lower its rate
	WaitQuota   Remedy = "wait-quota"   // park until the quota's next window
	Split       Remedy = "split"        // halve the request
	DropBatch   Remedy = "drop-batch"   // the message is at fault: its tokens end dropped and stay valid
	DropToken   Remedy = "drop-token"   // the token is at fault: it ends, and the feed may get it
	Config      Remedy = "config"       // stop the app, or park the job or token, until an operator acts
)

// Repeats reports whether a token with this remedy is sent again unchanged. Only
// then may a row have Tries.
func (m Remedy) Repeats() bool {
	switch m {
	case Backoff, RefreshAuth, SlowDown, WaitQuota, Config:
		return true
	case None, Split, DropBatch, DropToken:
	}
	return false
}

// Scope says what an answer concerns.
type Scope string

// The scopes.
const (
	ScopeToken Scope = "token" // one token
	ScopeBatch Scope = "batch" // the request with its message
	ScopeApp   Scope = "app"   // everything that the app sends to the vendor
)

// Level says where in an answer the code was: one number can mean different
// things at different levels.
type Level string

// The levels.
const (
	Transport Level = "transport" // no answer at all: timeout, reset, dns …
	HTTP      Level = "http"      // the HTTP status, where the body has no code
	Auth      Level = "auth"      // the token endpoint's answer
	Response  Level = "response"  // the whole request's answer
	Token     Level = "token"     // one token's answer
	Receipt   Level = "receipt"   // a delivery receipt
	Callback  Level = "callback"  // a platform's push callback (Tencent IM)
)

// Levels returns every level, in the order in which tables list them.
func Levels() []Level {
	return []Level{Transport, HTTP, Auth, Response, Token, Receipt, Callback}
}

// Action is what an application should do with a token that ended invalid.
type Action string

// The actions. NoAction is for codes that do not concern the token.
const (
	NoAction Action = ""
	Delete   Action = "delete"   // the token will never be valid again
	Suppress Action = "suppress" // reachable later: switched off, inactive
	Replace  Action = "replace"  // the vendor named the token that replaces it
)

// Code is one result code, as the vendor sent it.
type Code struct {
	Level Level
	Code  string
	// Text is the vendor's own message, trimmed and redacted. It is for logs only
	// and never compared.
	Text string
}

// String formats the code as "level/code".
func (c Code) String() string { return fmt.Sprintf("%s/%s", c.Level, c.Code) }

// Row says what one code means.
type Row struct {
	Vendor string `json:"vendor"`
	Level  Level  `json:"level"`
	Code   string `json:"code"`
	Class  Class  `json:"class"`
	Remedy Remedy `json:"remedy"`
	Scope  Scope  `json:"scope"`
	// Tries is how many requests of one token may get this answer; then the token
	// ends dead. 0: for Backoff the policy's attempts, for other remedies that repeat
	// only the job's expiry is the limit. It is set only where the remedy Repeats.
	Tries int `json:"tries,omitempty"`
	// Action is for the invalid-token feed; set for TokenInvalid rows.
	Action Action `json:"action,omitempty"`
	// Bucket is the quota that is used up, by its name in the vendor's Spec. Only
	// WaitQuota rows have one. "": with scope app everything that the app sends
	// waits, otherwise only what the answer names.
	Bucket string `json:"bucket,omitempty"`
	// Window is when that quota is reset; "": Day. A SlowDown row of scope app has
	// one where the code may also mean a used-up quota: see TakesWindow.
	Window  Window `json:"window,omitempty"`
	Meaning string `json:"meaning"`
	Source  string `json:"source"`
}

// Key formats the row's identity as ledgers and metrics have it: "huawei/response/80300007".
func (r Row) Key() string { return r.Vendor + "/" + string(r.Level) + "/" + r.Code }

// TakesWindow reports whether the row may have a Window: quota rows, and flow
// control of scope app that some vendors also use for a used-up quota. An app that
// got such an answer for ten minutes waits until the window.
func (r Row) TakesWindow() bool {
	return r.Remedy == WaitQuota || r.Remedy == SlowDown && r.Scope == ScopeApp
}

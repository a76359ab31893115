// Package classify looks an answer up: (vendor, level, code) → class, remedy
// and scope. It knows tables, the defaults for HTTP statuses and transport
// faults, and what to do with a code that nobody has described. It does not
// know any vendor's protocol, and decides nothing: package retry does.
package classify

import "fmt"

// Class is what happened to a token.
type Class string

// The classes.
const (
	Success      Class = "success"
	Retryable    Class = "retryable"
	Permanent    Class = "permanent"
	TokenInvalid Class = "token-invalid"
)

// Remedy is what we do about it.
type Remedy string

// The remedies.
const (
	None        Remedy = "none"
	Backoff     Remedy = "backoff"      // again later; counts an attempt
	RefreshAuth Remedy = "refresh-auth" // once with a new access token, then Config
	SlowDown    Remedy = "slow-down"    // pause the (app, vendor) and lower its rate
	WaitQuota   Remedy = "wait-quota"   // park until the quota's next window
	Split       Remedy = "split"        // halve the request
	DropBatch   Remedy = "drop-batch"   // the message is at fault: give up, keep the tokens
	DropToken   Remedy = "drop-token"   // the token is at fault: tell the application
	Config      Remedy = "config"       // keep what the scope names back until an operator acts
)

// Repeats tells whether a token that got the remedy's answer is sent again in the
// same way. Only then do a row's Tries mean anything.
func (m Remedy) Repeats() bool {
	switch m {
	case Backoff, RefreshAuth, SlowDown, WaitQuota, Config:
		return true
	case None, Split, DropBatch, DropToken:
	}
	return false
}

// Scope says whom an answer concerns.
type Scope string

// The scopes.
const (
	ScopeToken Scope = "token"
	ScopeBatch Scope = "batch"
	ScopeApp   Scope = "app"
)

// Level says where an answer's code stood: one number can mean different
// things at different levels.
type Level string

// The levels.
const (
	Transport Level = "transport" // no answer at all: timeout, reset, dns …
	HTTP      Level = "http"      // the HTTP status, where the body says nothing
	Auth      Level = "auth"      // the token endpoint's answer
	Response  Level = "response"  // the whole request's answer
	Token     Level = "token"     // one token's answer
	Receipt   Level = "receipt"   // a delivery receipt
	Callback  Level = "callback"  // a platform's push callback (Tencent IM)
)

// Levels lists every level in the order in which they are explained.
func Levels() []Level {
	return []Level{Transport, HTTP, Auth, Response, Token, Receipt, Callback}
}

// Action is what an application should do with a token that ended invalid.
type Action string

// The actions. NoAction stands for codes that do not concern the token.
const (
	NoAction Action = ""
	Delete   Action = "delete"   // the token is dead
	Suppress Action = "suppress" // reachable later: switched off, inactive
	Replace  Action = "replace"  // the vendor named its successor
)

// Code is one code as the vendor said it.
type Code struct {
	Level Level
	Code  string
	// Text is the vendor's own words, cut short and without tokens or secrets;
	// for people only, never compared.
	Text string
}

// String formats the code as "level/code".
func (c Code) String() string { return fmt.Sprintf("%s/%s", c.Level, c.Code) }

// Row is what is known of one code.
type Row struct {
	Vendor string `json:"vendor"`
	Level  Level  `json:"level"`
	Code   string `json:"code"`
	Class  Class  `json:"class"`
	Remedy Remedy `json:"remedy"`
	Scope  Scope  `json:"scope"`
	// Tries is the most requests of one token that may get this answer; then the
	// token ends dead. 0: as many as the policy's attempts for Backoff, no limit
	// but the job's expiry for the other remedies that repeat. Set for those only.
	Tries int `json:"tries,omitempty"`
	// Action is for the invalid-token feed; set for TokenInvalid rows.
	Action Action `json:"action,omitempty"`
	// Bucket is the quota that is used up, by its name in the vendor's Spec; set
	// for WaitQuota rows only. "": scope app stands for everything that the app
	// sends, any other for what the answer names and no more.
	Bucket string `json:"bucket,omitempty"`
	// Window is when that quota begins anew; "": Day. A SlowDown row of scope app
	// has one where the code may as well mean a quota: see TakesWindow.
	Window  Window `json:"window,omitempty"`
	Meaning string `json:"meaning"`
	Source  string `json:"source"`
}

// Key formats the row's identity as it stands in ledgers and metrics: "huawei/response/80300007".
func (r Row) Key() string { return r.Vendor + "/" + string(r.Level) + "/" + r.Code }

// TakesWindow tells whether the row may have a Window: a quota does, and flow
// control that may be a quota in disguise. An app that got such an answer for
// ten minutes waits until the window.
func (r Row) TakesWindow() bool {
	return r.Remedy == WaitQuota || r.Remedy == SlowDown && r.Scope == ScopeApp
}

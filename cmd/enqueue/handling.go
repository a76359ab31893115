package main

import (
	"fmt"

	"github.com/postrider/postrider/pkg/classify"
)

// handling says in a few sentences what postrider does when a vendor answers with
// the row's code. docs/operations/vendors.md has the whole picture.
func handling(r classify.Row) string {
	s := byRemedy(r)
	if r.Tries > 0 {
		s += fmt.Sprintf(" A token that gets this answer %d times ends dead.", r.Tries)
	}
	return s + byAction(r.Action)
}

// byRemedy describes the remedy. A receipt comes after the vendor accepted the
// message, so nothing is sent again for it.
func byRemedy(r classify.Row) string {
	if r.Level == classify.Receipt || r.Level == classify.Callback {
		return "Counts it beside the ledger. Nothing is sent again."
	}
	if r.Level == classify.Auth && r.Class == classify.Retryable && r.Remedy != classify.RefreshAuth {
		return "Waits 1 s, doubled up to 5 minutes, or the vendor's Retry-After, before a worker asks for an access token again. A token that is still valid stays in use."
	}
	switch r.Remedy {
	case classify.None:
		if r.Class == classify.Success {
			return "Counts the tokens as delivered."
		}
		return "Ends the tokens as dropped. They stay valid."
	case classify.Backoff:
		return "Sends the tokens again with a growing delay, up to retry.attempts requests."
	case classify.RefreshAuth:
		return "Gets one new access token for all workers and repeats the request once. If that is refused, too, the account is stopped."
	case classify.SlowDown:
		if r.Scope == classify.ScopeApp {
			return "Stops the account for all workers, halves its rate and probes it after 1 s to 15 s, or after the vendor's Retry-After. No attempt is used."
		}
		return "Waits longer each time, up to 15 minutes, before it sends what got this answer again. No attempt is used."
	case classify.WaitQuota:
		return waitQuota(r)
	case classify.Split:
		return "Sends the same tokens again in requests of half the size."
	case classify.DropBatch:
		return "Ends the request's tokens as dropped. They stay valid."
	case classify.DropToken:
		return "Ends the token; it is not sent again."
	case classify.Config:
		return configError(r)
	}
	return ""
}

func waitQuota(r classify.Row) string {
	what := "what the answer names"
	switch {
	case r.Bucket != "":
		what = "what counts towards " + r.Bucket
	case r.Scope == classify.ScopeApp:
		what = "everything that the app sends"
	}
	when := "the next midnight"
	switch r.Window {
	case "", classify.Day:
	case classify.Week:
		when = "the midnight before the next Monday"
	default:
		when = "the next " + string(r.Window)
	}
	return fmt.Sprintf("Pauses %s until %s in Beijing. Everything else goes on, and no attempt is used.", what, when)
}

func configError(r classify.Row) string {
	switch {
	case r.Level == classify.Auth:
		return "Stops the account, keeps its tasks and probes it after 1 to 30 minutes. Changed credentials resume it at once (SIGHUP)."
	case r.Scope == classify.ScopeApp:
		return "Parks the job at this vendor. If a second job gets the answer within an hour, the account is stopped. Each is probed after 1 to 30 minutes."
	case r.Scope == classify.ScopeBatch:
		return "Parks the job at this vendor and probes it after 1 to 30 minutes. Other jobs go on."
	}
	return "Waits longer each time, up to 30 minutes, before it sends the token again. No attempt is used."
}

func byAction(a classify.Action) string {
	switch a {
	case classify.Delete:
		return " Adds the token to the feed: delete it."
	case classify.Suppress:
		return " Adds the token to the feed: it may be reachable later."
	case classify.Replace:
		return " Adds the token to the feed with the one that replaces it."
	case classify.NoAction:
	}
	return ""
}

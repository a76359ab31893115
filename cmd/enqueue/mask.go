package main

// masked shows a person enough of a token to find it again, and never more than
// half of it: the first six characters at most.
func masked(token string) string {
	r := []rune(token)
	return string(r[:min(6, len(r)/2)]) + "…"
}

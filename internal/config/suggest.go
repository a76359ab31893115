package config

import "strings"

// suggest returns how a message about an unknown word goes on: with the known
// word that it is a misspelling of, or with all of them.
func suggest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if n := distance(strings.ToLower(word), k); n < least {
			best, least = k, n
		}
	}
	if best != "" {
		return ": did you mean " + best + "?"
	}
	return ": want one of " + strings.Join(known, ", ")
}

// distance counts the letters to insert, remove or replace to get from a to b,
// with dashes and underscores taken as the same letter.
func distance(a, b string) int {
	a = strings.ReplaceAll(a, "-", "_")
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

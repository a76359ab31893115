package play

// TokenList says where the list of tokens is in a body, for vendors that have one
// list of strings. The strings themselves are in the call's tokens.
type TokenList struct {
	Span       Span
	Broken     bool // not JSON, as far as the scanner read
	NotStrings bool // the member is not an array of strings
}

// ScanTokens finds the tokens by the keys that lead to them, and sets the call's
// tokens.
func (c *Call) ScanTokens(keys ...string) TokenList {
	var l TokenList
	_, err := l.descend(c, 0, keys)
	l.Broken = err != nil
	return l
}

func (l *TokenList) descend(c *Call, i int, keys []string) (int, error) {
	l.forget(c)
	return Members(c.Body, i, func(key []byte, i int) (int, error) {
		if string(key) != keys[0] {
			return Skip(c.Body, i)
		}
		l.forget(c) // of two members with one name the last counts
		switch {
		case len(keys) == 1:
			return l.read(c, i)
		case i < len(c.Body) && c.Body[i] == '{':
			return l.descend(c, i, keys[1:])
		}
		return Skip(c.Body, i)
	})
}

func (l *TokenList) forget(c *Call) { l.Span, l.NotStrings, c.Tokens = Span{}, false, c.Tokens[:0] }

func (l *TokenList) read(c *Call, i int) (end int, err error) {
	c.Tokens, end, err = Texts(c.Body, i, c.Tokens[:0])
	if l.NotStrings = err != nil; l.NotStrings {
		end, err = Skip(c.Body, i)
	}
	l.Span = Span{i, end}
	return end, err
}

// Size is the length of the body in bytes if the list were empty.
func (l TokenList) Size(c *Call) int {
	if l.Span.Empty() {
		return len(c.Body)
	}
	return len(c.Body) - (l.Span.End - l.Span.Start) + len(`[]`)
}

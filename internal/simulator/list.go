package simulator

// listed is where a body has its list of tokens, for vendors that have one of
// plain strings. The strings themselves are the call's tokens.
type listed struct {
	span     span
	broken   bool // not JSON as far as the scanner looked
	notTexts bool // the member is no array of strings
}

// scanList finds the tokens by the keys that lead to them.
func (c *call) scanList(keys ...string) listed {
	var l listed
	_, err := l.descend(c, 0, keys)
	l.broken = err != nil
	return l
}

func (l *listed) descend(c *call, i int, keys []string) (int, error) {
	l.forget(c)
	return members(c.body, i, func(key []byte, i int) (int, error) {
		if string(key) != keys[0] {
			return skip(c.body, i)
		}
		l.forget(c) // of two members with one name the last counts
		switch {
		case len(keys) == 1:
			return l.read(c, i)
		case i < len(c.body) && c.body[i] == '{':
			return l.descend(c, i, keys[1:])
		}
		return skip(c.body, i)
	})
}

func (l *listed) forget(c *call) { l.span, l.notTexts, c.tokens = span{}, false, c.tokens[:0] }

func (l *listed) read(c *call, i int) (end int, err error) {
	c.tokens, end, err = texts(c.body, i, c.tokens[:0])
	if l.notTexts = err != nil; l.notTexts {
		end, err = skip(c.body, i)
	}
	l.span = span{i, end}
	return end, err
}

// size is the length of the body, in bytes, with the list empty.
func (l listed) size(c *call) int {
	if l.span.empty() {
		return len(c.body)
	}
	return len(c.body) - (l.span.end - l.span.start) + len(`[]`)
}

// emptyToken returns the place of the first empty token, or -1.
func (c *call) emptyToken() int {
	for i, t := range c.tokens {
		if len(t) == 0 {
			return i
		}
	}
	return -1
}

package huawei

import (
	"github.com/postrider/postrider/internal/simulator/play"
)

// sendBody says where the parts of a send are, as the scanner found them.
type sendBody struct {
	message, token play.Span
	broken         bool // not JSON as far as the scanner looked
	notStrings     bool // token is not an array of strings
}

// openSend finds the app in the path and the tokens by scanning.
func (h player) openSend(c *play.Call) {
	if cred, ok := appOf(c); ok {
		c.App = cred.App
	}
	var b sendBody
	_, err := play.Members(c.Body, 0, func(key []byte, i int) (int, error) {
		if string(key) != "message" {
			return play.Skip(c.Body, i)
		}
		end, err := b.scanMessage(c, i)
		b.message = play.Span{Start: i, End: end}
		return end, err
	})
	b.broken = err != nil
	c.Parsed = b
}

func (b *sendBody) scanMessage(c *play.Call, i int) (int, error) {
	b.token, b.notStrings = play.Span{}, false // of two members with the same name the last one counts
	c.Tokens = c.Tokens[:0]
	if i == len(c.Body) || c.Body[i] != '{' {
		return play.Skip(c.Body, i)
	}
	return play.Members(c.Body, i, func(key []byte, i int) (int, error) {
		if string(key) != "token" {
			return play.Skip(c.Body, i)
		}
		end, err := b.scanTokens(c, i)
		b.token = play.Span{Start: i, End: end}
		return end, err
	})
}

func (b *sendBody) scanTokens(c *play.Call, i int) (end int, err error) {
	c.Tokens, end, err = play.Texts(c.Body, i, c.Tokens[:0])
	if b.notStrings = err != nil; b.notStrings {
		return play.Skip(c.Body, i)
	}
	return end, nil
}

// size is the length of the message without the member token, in bytes.
func (b sendBody) size() int {
	n := b.message.End - b.message.Start
	if b.token.Empty() {
		return n
	}
	return n - (b.token.End - b.token.Start) - len(`"token":,`)
}

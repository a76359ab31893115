package xiaomi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// An endpoint for many messages never answers that the day's quota is used up. It
// answers success and says how many messages of each channel it discarded, but not
// which: https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1656
const (
	codeOverQuota     = "channel_exceed_quota"
	codeSomeOverQuota = codeOverQuota + "/some"
	noChannel         = "no_channel"
)

// channelTokens is the channel of a message and the number of its tokens.
type channelTokens struct {
	channel string
	tokens  int
}

// discarded is the number of discarded messages per channel. If the answer's text
// cannot be read, any channel may have lost messages.
type discarded struct {
	byChannel  map[string]int
	unreadable bool
}

// overQuota reads "no_channel:2 a:3". nil: nothing was discarded.
func overQuota(s string) *discarded {
	if s = strings.TrimSpace(s); s == "" || s == "null" {
		return nil
	}
	t := &discarded{byChannel: map[string]int{}}
	for part := range strings.FieldsSeq(s) {
		at := strings.LastIndexByte(part, ':')
		if at < 1 {
			return &discarded{unreadable: true}
		}
		n, err := strconv.ParseUint(part[at+1:], 10, 31)
		if err != nil {
			return &discarded{unreadable: true}
		}
		t.byChannel[part[:at]] += int(n)
	}
	return t
}

// add gives a code to the tokens of the channels that lost messages: codeOverQuota if a
// channel lost all messages, codeSomeOverQuota if it is not known which were lost.
// list has the rejected tokens, in order, which are not counted again.
func (t *discarded) add(list []vendors.TokenCode, sent delivery, said string) []vendors.TokenCode {
	rejected := make([]bool, len(sent.tokens))
	for _, tc := range list {
		rejected[tc.Index] = true
	}
	left := sent.byChannel(rejected)
	i := 0
	for _, m := range sent.messages {
		code := t.code(m.channel, left[m.channel])
		for range m.tokens {
			if code != "" && !rejected[i] {
				list = append(list, vendors.TokenCode{Index: i, Code: classify.Code{Level: classify.Token, Code: code, Text: said}})
			}
			i++
		}
	}
	slices.SortFunc(list, func(a, b vendors.TokenCode) int { return a.Index - b.Index })
	return list
}

// code returns the code of the tokens of a channel to which so many messages were sent.
func (t *discarded) code(channel string, messages int) string {
	if channel == "" {
		channel = noChannel
	}
	switch lost := t.byChannel[channel]; {
	case t.unreadable:
		return codeSomeOverQuota
	case lost == 0:
		return ""
	case lost < messages:
		return codeSomeOverQuota
	}
	return codeOverQuota
}

// byChannel counts the tokens that were not rejected.
func (d delivery) byChannel(rejected []bool) map[string]int {
	left := map[string]int{}
	i := 0
	for _, m := range d.messages {
		for range m.tokens {
			if !rejected[i] {
				left[m.channel]++
			}
			i++
		}
	}
	return left
}

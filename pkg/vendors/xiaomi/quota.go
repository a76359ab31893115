package xiaomi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// An endpoint for many messages never answers that the day's quota is used up.
// It answers success and says how many messages of which channel it threw away,
// not which ones: https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1656
const (
	codeOverQuota     = "channel_exceed_quota"
	codeSomeOverQuota = codeOverQuota + "/some"
	noChannel         = "no_channel"
)

// channelTokens is how many tokens a message went to, and in which channel.
type channelTokens struct {
	channel string
	tokens  int
}

// thrown is the number of messages thrown away by channel. A text that cannot
// be read leaves every channel in doubt.
type discarded struct {
	byChannel  map[string]int
	unreadable bool
}

// overQuota reads "no_channel:2 a:3"; nil: nothing was thrown away.
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

// add gives a code to the tokens of the channels that lost messages: one if all
// of a channel's were lost, another if nobody can tell which. list holds the
// rejected tokens, in order, which are not counted again.
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

// code is what the tokens of a channel have that got so many messages.
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

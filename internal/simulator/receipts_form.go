package simulator

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// group is tokens with one tag and one fate, which some vendors tell of together.
type group struct {
	fate
	tokens []string
}

func (g group) targets() string { return strings.Join(g.tokens, ",") }

// gather makes groups in the order in which they begin.
func gather(list []fate) []group {
	var groups []group
	for _, f := range list {
		i := slices.IndexFunc(groups, func(g group) bool { return g.tag == f.tag && g.lost == f.lost })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{fate: f})
		}
		groups[i].tokens = append(groups[i].tokens, f.token)
	}
	return groups
}

// formLetter is a call whose body is a form with JSON in one field.
func formLetter(field string, v any, more url.Values) letter {
	text, _ := json.Marshal(v) // strings, numbers, lists and objects always marshal
	form := url.Values{field: {string(text)}}
	maps.Copy(form, more)
	return letter{contentType: "application/x-www-form-urlencoded; charset=UTF-8", body: []byte(form.Encode())}
}

// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1558
func xiaomiLetter(_ Receipts, _ string, now time.Time, list []fate) letter {
	messages := doc{}
	for i, g := range gather(list) {
		m := doc{"param": g.tag, "type": pick(g.fate, 1, 16), "targets": g.targets(), "barStatus": pick(g.fate, "Enable", "Unknown"), "timestamp": now.UnixMilli()}
		if g.lost {
			m["errorCode"] = 1
		}
		messages["sdm"+strconv.FormatInt(now.UnixMicro(), 10)+strconv.Itoa(i)] = m
	}
	return formLetter("data", messages, nil)
}

// meizuLetter tells of phones that were reached: there is no type for others.
// https://github.com/MEIZUPUSH/PushAPI
func meizuLetter(r Receipts, _ string, now time.Time, list []fate) letter {
	messages := doc{}
	for i, g := range gather(list) {
		if !g.lost {
			id := "NS" + strconv.FormatInt(now.UnixMicro(), 10) + "_" + strconv.Itoa(i) + "-1"
			messages[id] = doc{"param": g.tag, "type": 1, "targets": g.tokens}
		}
	}
	if len(messages) == 0 {
		return letter{}
	}
	return formLetter("cb", messages, url.Values{"access_token": {r.Secret}})
}

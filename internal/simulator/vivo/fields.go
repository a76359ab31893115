package vivo

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/postrider/postrider/internal/simulator/play"
)

// What the fields of a message may hold, from the parameter tables of
// https://dev.vivo.com.cn/documentCenter/doc/362.

var (
	systemCategories      = []string{"IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"}
	operationalCategories = []string{"NEWS", "CONTENT", "MARKETING", "SOCIAL"}
)

// messageFields are the fields that send and saveListPayload have in common.
var messageFields = []play.Member{
	play.Field("appId", play.Integer(1, 1<<53, "10094")),
	play.Field("requestId", checkRequestID),
	play.Field("notifyType", play.Integer(1, 4, "10054")),
	play.Field("title", play.Text(0, "")), // its length is checked by meaning
	play.Field("content", play.Text(0, "")),
	play.Field("timeToLive", play.Anything), // its bounds depend on the endpoint
	play.Field("skipType", play.Integer(1, 4, "10060")),
	play.Field("skipContent", play.Text(0, "")),
	play.Field("networkType", play.Integer(-1, 1, "10065")),
	play.Field("classification", play.Integer(0, 1, "11000")),
	play.Field("category", play.OneOf("10096", slices.Concat(systemCategories, operationalCategories)...)),
	play.Field("clientCustomMap", checkCustomMap),
	play.Field("extra", checkExtra),
	play.Field("pushMode", play.Integer(0, 1, "10044")),
	play.Field("notifyId", play.Integer(1, 1<<31-1, "10095")),
	play.Field("profileId", play.Text(64, "10092")),
	play.Field("sendOnline", play.Boolean),
	play.Field("foregroundShow", play.Boolean),
	play.Field("addBadge", play.Boolean),
	play.Field("auditReview", play.List(0, "10106", play.Anything)),
	play.Field("timedDisplay", play.Anything),
}

var (
	sendFields = play.Object(append([]play.Member{play.Field("regId", play.Text(0, "")), play.Field("alias", play.Text(70, "10301"))}, messageFields...)...)
	saveFields = play.Object(messageFields...)
	listFields = play.Object(
		play.Field("appId", play.Integer(1, 1<<53, "10094")),
		play.Field("regIds", play.List(0, "", play.Text(0, ""))),
		play.Field("aliases", play.List(0, "", play.Text(0, ""))),
		play.Field("taskId", play.Text(0, "")),
		play.Field("requestId", checkRequestID),
		play.Field("pushMode", play.Integer(0, 1, "10044")),
	)
)

func checkRequestID(p *play.Findings, path string, v any) { play.Text(64, "10353")(p, path, v) }

// checkCustomMap checks pairs of strings.
func checkCustomMap(p *play.Findings, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		p.MustBe(path, "an object")
		return
	}
	if len(m) > 10 {
		p.Wrong(path, "has more than 10 pairs", "10066")
	}
	size := 0
	for key, value := range m {
		s, ok := value.(string)
		if !ok {
			p.Wrong(path, "has a value that is not a string", "10067")
		}
		size += utf8.RuneCountInString(key) + utf8.RuneCountInString(s)
	}
	if size > 1024 {
		p.Wrong(path, "has more than 1024 characters", "10067")
	}
}

// checkExtra checks the request for receipts.
func checkExtra(p *play.Findings, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		p.MustBe(path, "an object")
		return
	}
	for key, value := range m {
		switch key {
		case "callback":
			play.Text(128, "10305")(p, play.JoinPath(path, key), value)
		case "callback.param":
			play.Text(192, "10306")(p, play.JoinPath(path, key), value)
		case "callback.id":
			play.Text(0, "")(p, play.JoinPath(path, key), value)
		default:
			p.Wrong(play.JoinPath(path, key), "is not one of the vendor's fields", "10304")
		}
	}
}

// skipCodes are the codes for a skipContent that is missing or too long, by
// skipType.
var skipCodes = map[string]struct {
	most          int
	missing, long string
}{
	"2": {1000, "10061", "10062"},
	"3": {1024, "10063", "10064"},
	"4": {1024, "10068", "10069"},
}

// ttlBounds are the bounds of timeToLive in seconds.
type ttlBounds struct{ least, most int64 }

// meaning checks which fields are required, lengths, and how fields depend on each
// other.
func (v *player) meaning(p *play.Findings, m map[string]any, life ttlBounds) {
	for _, required := range []struct{ name, code string }{{"requestId", "10352"}, {"title", "10055"}, {"content", "10057"}} {
		if !play.Filled(m, required.name) {
			p.Wrong(required.name, "is missing", required.code)
		}
	}
	for _, required := range []struct{ name, code string }{{"notifyType", "10054"}, {"skipType", "10060"}} {
		if m[required.name] == nil {
			p.Wrong(required.name, "is missing", required.code)
		}
	}
	v.measure(p, m, "title", 40, "10056")
	v.measure(p, m, "content", 100, "10058")
	if ttl, ok := m["timeToLive"]; ok {
		play.Integer(life.least, life.most, "10059")(p, "timeToLive", ttl)
	}
	kind, _ := m["skipType"].(json.Number)
	content, _ := m["skipContent"].(string)
	if skip, ok := skipCodes[kind.String()]; ok && content == "" {
		p.Wrong("skipContent", "is missing", skip.missing)
	} else if ok && utf8.RuneCountInString(content) > skip.most {
		p.Wrong("skipContent", "has more than "+strconv.Itoa(skip.most)+" characters", skip.long)
	}
	category, _ := m["category"].(string)
	class := m["classification"]
	if class == json.Number("1") && slices.Contains(operationalCategories, category) || class == json.Number("0") && slices.Contains(systemCategories, category) {
		p.Wrong("category", "contradicts the classification", "10097")
	}
}

// measure checks the length of a string.
func (v *player) measure(p *play.Findings, m map[string]any, name string, most int, code string) {
	s, _ := m[name].(string)
	n := 0
	for _, r := range s {
		n++
		if v.Width && (r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)) {
			n++
		}
	}
	if n > most {
		p.Wrong(name, "is longer than "+strconv.Itoa(most)+" characters", code)
	}
}

// isSystem returns a message's classification: by that field, or else by its category.
func isSystem(m map[string]any) bool {
	if class, ok := m["classification"]; ok {
		return class == json.Number("1")
	}
	category, _ := m["category"].(string)
	return slices.Contains(systemCategories, category)
}

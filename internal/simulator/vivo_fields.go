package simulator

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// What the fields of a message may hold, from the parameter tables of
// https://dev.vivo.com.cn/documentCenter/doc/362.

var (
	vivoSystem      = []string{"IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"}
	vivoOperational = []string{"NEWS", "CONTENT", "MARKETING", "SOCIAL"}
)

// vivoMessage are the fields of send and of saveListPayload alike.
var vivoMessage = []field{
	{"appId", integer(1, 1<<53, "10094")},
	{"requestId", vivoRequestID},
	{"notifyType", integer(1, 4, "10054")},
	{"title", text(0, "")}, // the player measures it
	{"content", text(0, "")},
	{"timeToLive", anything}, // its bounds are the endpoint's
	{"skipType", integer(1, 4, "10060")},
	{"skipContent", text(0, "")},
	{"networkType", integer(-1, 1, "10065")},
	{"classification", integer(0, 1, "11000")},
	{"category", word("10096", slices.Concat(vivoSystem, vivoOperational)...)},
	{"clientCustomMap", vivoCustom},
	{"extra", vivoExtra},
	{"pushMode", integer(0, 1, "10044")},
	{"notifyId", integer(1, 1<<31-1, "10095")},
	{"profileId", text(64, "10092")},
	{"sendOnline", boolean},
	{"foregroundShow", boolean},
	{"addBadge", boolean},
	{"auditReview", list(0, "10106", anything)},
	{"timedDisplay", anything},
}

var (
	vivoSend = object(append([]field{{"regId", text(0, "")}, {"alias", text(70, "10301")}}, vivoMessage...)...)
	vivoSave = object(vivoMessage...)
	vivoList = object(
		field{"appId", integer(1, 1<<53, "10094")},
		field{"regIds", list(0, "", text(0, ""))},
		field{"aliases", list(0, "", text(0, ""))},
		field{"taskId", text(0, "")},
		field{"requestId", vivoRequestID},
		field{"pushMode", integer(0, 1, "10044")},
	)
)

func vivoRequestID(p *probe, path string, v any) { text(64, "10353")(p, path, v) }

// vivoCustom checks pairs of strings.
func vivoCustom(p *probe, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		p.misshapen(path, "an object")
		return
	}
	if len(m) > 10 {
		p.wrong(path, "has more than 10 pairs", "10066")
	}
	size := 0
	for key, value := range m {
		s, ok := value.(string)
		if !ok {
			p.wrong(path, "holds what is no string", "10067")
		}
		size += utf8.RuneCountInString(key) + utf8.RuneCountInString(s)
	}
	if size > 1024 {
		p.wrong(path, "has more than 1024 characters", "10067")
	}
}

// vivoExtra checks how receipts are asked for.
func vivoExtra(p *probe, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		p.misshapen(path, "an object")
		return
	}
	for key, value := range m {
		switch key {
		case "callback":
			text(128, "10305")(p, join(path, key), value)
		case "callback.param":
			text(192, "10306")(p, join(path, key), value)
		case "callback.id":
			text(0, "")(p, join(path, key), value)
		default:
			p.wrong(join(path, key), "is no field of the vendor's", "10304")
		}
	}
}

// vivoSkips are the codes for a skipContent that is missing or over its
// characters, by skipType.
var vivoSkips = map[string]struct {
	most          int
	missing, long string
}{
	"2": {1000, "10061", "10062"},
	"3": {1024, "10063", "10064"},
	"4": {1024, "10068", "10069"},
}

// vivoLife are the bounds of timeToLive in seconds.
type vivoLife struct{ least, most int64 }

// meaning checks what is required, what has lengths, and what several fields
// say together.
func (v *vivoPlayer) meaning(p *probe, m map[string]any, life vivoLife) {
	for _, required := range []struct{ name, code string }{{"requestId", "10352"}, {"title", "10055"}, {"content", "10057"}} {
		if !filled(m, required.name) {
			p.wrong(required.name, "is missing", required.code)
		}
	}
	for _, required := range []struct{ name, code string }{{"notifyType", "10054"}, {"skipType", "10060"}} {
		if m[required.name] == nil {
			p.wrong(required.name, "is missing", required.code)
		}
	}
	v.measure(p, m, "title", 40, "10056")
	v.measure(p, m, "content", 100, "10058")
	if ttl, ok := m["timeToLive"]; ok {
		integer(life.least, life.most, "10059")(p, "timeToLive", ttl)
	}
	kind, _ := m["skipType"].(json.Number)
	content, _ := m["skipContent"].(string)
	if skip, ok := vivoSkips[kind.String()]; ok && content == "" {
		p.wrong("skipContent", "is missing", skip.missing)
	} else if ok && utf8.RuneCountInString(content) > skip.most {
		p.wrong("skipContent", "has more than "+strconv.Itoa(skip.most)+" characters", skip.long)
	}
	category, _ := m["category"].(string)
	class := m["classification"]
	if class == json.Number("1") && slices.Contains(vivoOperational, category) || class == json.Number("0") && slices.Contains(vivoSystem, category) {
		p.wrong("category", "contradicts the classification", "10097")
	}
}

func (v *vivoPlayer) measure(p *probe, m map[string]any, name string, most int, code string) {
	s, _ := m[name].(string)
	n := 0
	for _, r := range s {
		n++
		if v.Width && (r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)) {
			n++
		}
	}
	if n > most {
		p.wrong(name, "is longer than "+strconv.Itoa(most)+" characters", code)
	}
}

// vivoIsSystem tells a message's classification: by that field, or else by its category.
func vivoIsSystem(m map[string]any) bool {
	if class, ok := m["classification"]; ok {
		return class == json.Number("1")
	}
	category, _ := m["category"].(string)
	return slices.Contains(vivoSystem, category)
}

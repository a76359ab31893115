package simulator

import (
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What the fields of a message may hold, from the parameter table of
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559. The fields of
// a form and of a JSON message are the same, but for the prefix of the extras.

const (
	xiaomiMostExtras  = 10
	xiaomiExtraLength = 1024
	xiaomiLongestTTL  = 10 * 24 * 3600 * 1000 // milliseconds
	xiaomiReceipts    = 1 + 2 + 16 + 32 + 64 + 128 + 1024
)

var xiaomiFields = []field{
	{"restricted_package_name", text(0, "")},
	{"pass_through", integer(0, 1, xiaomiIllegal)},
	{"title", text(49, xiaomiIllegal)},
	{"description", text(127, xiaomiIllegal)},
	{"payload", xiaomiPayload},
	{"notify_type", xiaomiNotifyType},
	{"notify_id", integer(math.MinInt32, math.MaxInt32, xiaomiIllegal)},
	{"time_to_live", xiaomiTTL},
	{"collapse_key", text(0, "")},
	{"extra", xiaomiExtra},
}

var (
	xiaomiForm     = object(append(slices.Clone(xiaomiFields), field{"time_to_send", integer(0, math.MaxInt64, xiaomiIllegal)})...)
	xiaomiTargeted = object(field{"target", text(0, "")}, field{"message", object(xiaomiFields...)})
)

// xiaomiExtras are the extras with a meaning; others are the app's own.
var xiaomiExtras = map[string]check{
	"notify_effect":     word(xiaomiIllegal, "1", "2", "3"),
	"notify_foreground": word(xiaomiIllegal, "0", "1"),
	"only_send_once":    word("", "0", "1"),
	"web_uri":           xiaomiURL(xiaomiIllegal),
	"callback":          xiaomiURL("65038"),
	"callback.type":     xiaomiReceiptTypes,
	"jobkey":            xiaomiJobKey,
}

// xiaomiMessage is a form as JSON messages have it.
func xiaomiMessage(form url.Values) map[string]any {
	m, extra := map[string]any{}, map[string]any{}
	for name, values := range form {
		if name == "registration_id" {
			continue
		}
		if key, ok := strings.CutPrefix(name, "extra."); ok {
			extra[key] = values[0]
			continue
		}
		m[name] = values[0]
		switch name {
		case "pass_through", "notify_type", "notify_id", "time_to_live", "time_to_send":
			if _, err := strconv.ParseInt(values[0], 10, 64); err == nil {
				m[name] = json.Number(values[0])
			}
		case "extra": // a form has no such field; its name would hide the extras
			delete(m, name)
		}
	}
	if len(extra) > 0 {
		m["extra"] = extra
	}
	return m
}

// xiaomiRepeated reports fields that stand in a form twice, and one that has
// the name of all extras.
func xiaomiRepeated(form url.Values) (found []finding) {
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if len(form[name]) > 1 {
			found = append(found, finding{what: name + ": stands there twice"})
		}
	}
	if form.Has("extra") {
		found = append(found, finding{what: "extra: is no field of the vendor's"})
	}
	return found
}

// xiaomiPayload finds what was escaped once too often: the phone gets it with
// its percent signs.
func xiaomiPayload(p *probe, path string, v any) {
	text(0, "")(p, path, v)
	if s, _ := v.(string); strings.HasPrefix(s, "%7B") || strings.HasPrefix(s, "%7b") {
		p.wrong(path, "is escaped twice", "")
	}
}

func xiaomiNotifyType(p *probe, path string, v any) {
	integer(-1, 7, xiaomiIllegal)(p, path, v)
}

// xiaomiTTL forgives what the vendor cuts, and finds seconds by their smallness.
func xiaomiTTL(p *probe, path string, v any) {
	integer(1, math.MaxInt64, xiaomiIllegal)(p, path, v)
	number, _ := v.(json.Number)
	n, err := number.Int64()
	switch {
	case err != nil || n <= 0:
	case n < 1000:
		p.wrong(path, "is under a second: the unit is milliseconds", "")
	case n > xiaomiLongestTTL:
		p.wrong(path, "is over 10 days", "")
	}
}

func xiaomiExtra(p *probe, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		p.misshapen(path, "an object")
		return
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		s, ok := m[name].(string)
		if !ok {
			p.misshapen(join(path, name), "a string")
			continue
		}
		size += utf8.RuneCountInString(name) + utf8.RuneCountInString(s)
		if strings.HasPrefix(name, "extra.") {
			p.wrong(join(path, name), "has the prefix of forms", "")
		}
		if check := xiaomiExtras[name]; check != nil {
			check(p, join(path, name), s)
		}
	}
	if len(m) > xiaomiMostExtras {
		p.wrong(path, "has more than 10 members", "65014")
	}
	if size > xiaomiExtraLength {
		p.wrong(path, "has more than 1,024 characters", "65015")
	}
}

func xiaomiURL(code string) check {
	return func(p *probe, path string, v any) {
		if s, _ := v.(string); !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
			p.wrong(path, "is not an http or https URL", code)
		}
	}
}

// xiaomiReceiptTypes reports a sum that the vendor ignores without a word.
func xiaomiReceiptTypes(p *probe, path string, v any) {
	s, _ := v.(string)
	if n, err := strconv.Atoi(s); err != nil || n <= 0 || n&^xiaomiReceipts != 0 {
		p.wrong(path, "is no sum of 1, 2, 16, 32, 64, 128 and 1024", "")
	}
}

var xiaomiJobKeyForm = regexp.MustCompile(`^[0-9A-Za-z-][0-9A-Za-z_-]{0,11}$`)

func xiaomiJobKey(p *probe, path string, v any) {
	if s, _ := v.(string); !xiaomiJobKeyForm.MatchString(s) {
		p.wrong(path, "is not 1 to 12 letters, digits, - and _, not beginning with _", "70012")
	}
}

// meaning checks what several fields say together, and what depends on the app.
func (x xiaomiPlayer) meaning(p *probe, c *call, path string, message map[string]any) {
	extra := inside(message, "extra")
	at := func(name string) string { return join(path, name) }
	switch names, _ := message["restricted_package_name"].(string); {
	case names == "":
		p.wrong(at("restricted_package_name"), "is missing", "22022")
	case !c.p.apps.any && !slices.Contains(strings.Split(names, ","), c.app):
		p.wrong(at("restricted_package_name"), "is not the package of the secret's app", "22022")
	}
	channel, _ := extra["channel_id"].(string)
	if len(x.Channels) > 0 && !slices.Contains(x.Channels, channel) {
		p.wrong(at("extra.channel_id"), "is no channel of the app", "27001")
	}
	x.shown(p, at, message)
	switch effect, _ := extra["notify_effect"].(string); {
	case effect == "2" && !filled(extra, "intent_uri"):
		p.wrong(at("extra.intent_uri"), "is missing: notify_effect 2 needs it", xiaomiMissing)
	case effect == "3" && !filled(extra, "web_uri"):
		p.wrong(at("extra.web_uri"), "is missing: notify_effect 3 needs it", xiaomiMissing)
	}
	most := x.CallbackParam
	if most == 0 {
		most = 64
	}
	if param, _ := extra["callback.param"].(string); len(param) > most {
		p.wrong(at("extra.callback.param"), "has more bytes than "+strconv.Itoa(most), "65036")
	}
}

// shown checks title and description, or the payload of what is not shown.
func (x xiaomiPlayer) shown(p *probe, at func(string) string, message map[string]any) {
	if message["pass_through"] == json.Number("1") {
		if !filled(message, "payload") {
			p.wrong(at("payload"), "is missing: pass_through 1 needs it", xiaomiMissing)
		}
		for _, name := range []string{"title", "description"} {
			if filled(message, name) {
				p.wrong(at(name), "means nothing with pass_through 1", "")
			}
		}
		return
	}
	for _, name := range []string{"title", "description"} {
		if s, _ := message[name].(string); strings.TrimSpace(s) == "" {
			p.wrong(at(name), "is missing or all blank", "65011")
		}
	}
}

package xiaomi

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

	"github.com/postrider/postrider/internal/simulator/play"
)

// What the fields of a message may hold, from the parameter table of
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559. The fields of
// a form and of a JSON message are the same, but for the prefix of the extras.

const (
	maxExtras        = 10
	maxExtraLength   = 1024
	longestTTL       = 10 * 24 * 3600 * 1000 // milliseconds
	maxCallbackParam = 64                    // bytes
	receiptTypeSum   = 1 + 2 + 16 + 32 + 64 + 128 + 1024
)

var messageFields = []play.Member{
	play.Field("restricted_package_name", play.Text(0, "")),
	play.Field("pass_through", play.Integer(0, 1, codeIllegal)),
	play.Field("title", play.Text(49, codeIllegal)),
	play.Field("description", play.Text(127, codeIllegal)),
	play.Field("payload", checkPayload),
	play.Field("notify_type", checkNotifyType),
	play.Field("notify_id", play.Integer(math.MinInt32, math.MaxInt32, codeIllegal)),
	play.Field("time_to_live", checkTTL),
	play.Field("collapse_key", play.Text(0, "")),
	play.Field("extra", checkExtra),
}

var (
	formFields     = play.Object(append(slices.Clone(messageFields), play.Field("time_to_send", play.Integer(0, math.MaxInt64, codeIllegal)))...)
	targetedFields = play.Object(play.Field("target", play.Text(0, "")), play.Field("message", play.Object(messageFields...)))
)

// extraChecks are the extras with a meaning; others are the app's own.
var extraChecks = map[string]play.Check{
	"notify_effect":     play.OneOf(codeIllegal, "1", "2", "3"),
	"notify_foreground": play.OneOf(codeIllegal, "0", "1"),
	"only_send_once":    play.OneOf("", "0", "1"),
	"web_uri":           webURL(codeIllegal),
	"callback":          webURL("65038"),
	"callback.type":     checkReceiptTypes,
	"jobkey":            checkJobKey,
}

// formMessage turns a form into the members of a JSON message.
func formMessage(form url.Values) map[string]any {
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
		case "extra": // a form has no such field; it would replace the extras
			delete(m, name)
		}
	}
	if len(extra) > 0 {
		m["extra"] = extra
	}
	return m
}

// repeatedFields finds fields that are in a form twice, and the field extra.
func repeatedFields(form url.Values) (found []play.Finding) {
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if len(form[name]) > 1 {
			found = append(found, play.Finding{What: name + ": is there twice"})
		}
	}
	if form.Has("extra") {
		found = append(found, play.Finding{What: "extra: is not one of the vendor's fields"})
	}
	return found
}

// checkPayload finds what was escaped once too often: the device gets it with
// percent signs.
func checkPayload(p *play.Findings, path string, v any) {
	play.Text(0, "")(p, path, v)
	if s, _ := v.(string); strings.HasPrefix(s, "%7B") || strings.HasPrefix(s, "%7b") {
		p.Wrong(path, "is escaped twice", "")
	}
}

func checkNotifyType(p *play.Findings, path string, v any) {
	play.Integer(-1, 7, codeIllegal)(p, path, v)
}

// checkTTL forgives what the vendor shortens. A small number is probably seconds.
func checkTTL(p *play.Findings, path string, v any) {
	play.Integer(1, math.MaxInt64, codeIllegal)(p, path, v)
	number, _ := v.(json.Number)
	n, err := number.Int64()
	switch {
	case err != nil || n <= 0:
	case n < 1000:
		p.Wrong(path, "is under a second: the unit is milliseconds", "")
	case n > longestTTL:
		p.Wrong(path, "is over 10 days", "")
	}
}

func checkExtra(p *play.Findings, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		p.MustBe(path, "an object")
		return
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		s, ok := m[name].(string)
		if !ok {
			p.MustBe(play.JoinPath(path, name), "a string")
			continue
		}
		size += utf8.RuneCountInString(name) + utf8.RuneCountInString(s)
		if strings.HasPrefix(name, "extra.") {
			p.Wrong(play.JoinPath(path, name), "has the prefix of forms", "")
		}
		if check := extraChecks[name]; check != nil {
			check(p, play.JoinPath(path, name), s)
		}
	}
	if len(m) > maxExtras {
		p.Wrong(path, "has more than 10 members", "65014")
	}
	if size > maxExtraLength {
		p.Wrong(path, "has more than 1,024 characters", "65015")
	}
}

func webURL(code string) play.Check {
	return func(p *play.Findings, path string, v any) {
		if s, _ := v.(string); !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
			p.Wrong(path, "is not an http or https URL", code)
		}
	}
}

// checkReceiptTypes reports a sum that the vendor silently ignores.
func checkReceiptTypes(p *play.Findings, path string, v any) {
	s, _ := v.(string)
	if n, err := strconv.Atoi(s); err != nil || n <= 0 || n&^receiptTypeSum != 0 {
		p.Wrong(path, "is not a sum of 1, 2, 16, 32, 64, 128 and 1024", "")
	}
}

var jobKeyForm = regexp.MustCompile(`^[0-9A-Za-z-][0-9A-Za-z_-]{0,11}$`)

func checkJobKey(p *play.Findings, path string, v any) {
	if s, _ := v.(string); !jobKeyForm.MatchString(s) {
		p.Wrong(path, "is not 1 to 12 letters, digits, - and _, not beginning with _", "70012")
	}
}

// meaning checks how fields depend on each other and on the app.
func (x player) meaning(p *play.Findings, c *play.Call, path string, message map[string]any) {
	extra := play.Inside(message, "extra")
	at := func(name string) string { return play.JoinPath(path, name) }
	switch names, _ := message["restricted_package_name"].(string); {
	case names == "":
		p.Wrong(at("restricted_package_name"), "is missing", "22022")
	case !c.AnyCredentials() && !slices.Contains(strings.Split(names, ","), c.App):
		p.Wrong(at("restricted_package_name"), "is not the package of the secret's app", "22022")
	}
	channel, _ := extra["channel_id"].(string)
	if len(x.Channels) > 0 && !slices.Contains(x.Channels, channel) {
		p.Wrong(at("extra.channel_id"), "is not a channel of the app", "27001")
	}
	x.shown(p, at, message)
	switch effect, _ := extra["notify_effect"].(string); {
	case effect == "2" && !play.Filled(extra, "intent_uri"):
		p.Wrong(at("extra.intent_uri"), "is missing: notify_effect 2 needs it", codeMissing)
	case effect == "3" && !play.Filled(extra, "web_uri"):
		p.Wrong(at("extra.web_uri"), "is missing: notify_effect 3 needs it", codeMissing)
	}
	if param, _ := extra["callback.param"].(string); len(param) > maxCallbackParam {
		p.Wrong(at("extra.callback.param"), "has more bytes than "+strconv.Itoa(maxCallbackParam), "65036")
	}
}

// shown checks title and description, or the payload of a message that is not
// shown.
func (x player) shown(p *play.Findings, at func(string) string, message map[string]any) {
	if message["pass_through"] == json.Number("1") {
		if !play.Filled(message, "payload") {
			p.Wrong(at("payload"), "is missing: pass_through 1 needs it", codeMissing)
		}
		for _, name := range []string{"title", "description"} {
			if play.Filled(message, name) {
				p.Wrong(at(name), "means nothing with pass_through 1", "")
			}
		}
		return
	}
	for _, name := range []string{"title", "description"} {
		if s, _ := message[name].(string); strings.TrimSpace(s) == "" {
			p.Wrong(at(name), "is missing or only spaces", "65011")
		}
	}
}

package xiaomi

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// The fields that this package reads; it only passes the others on.
const (
	fieldTitle   = "title"
	fieldBody    = "description"
	fieldPass    = "pass_through"
	fieldPayload = "payload"
	extraPrefix  = "extra."
	extraChannel = extraPrefix + "channel_id"
)

// field is one field of the form, without the receivers:
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559
type field struct{ name, value string }

// ident has the values that differ between requests with the same message.
type ident struct {
	packageName string
	ttl         time.Duration
	key         string
	receiptURL  string
}

// fields returns the message's fields with overrides merged.
func fields(m *push.Message, id ident) ([]field, error) {
	list := []field{{"restricted_package_name", id.packageName}}
	if m.Kind == push.Data {
		list = append(list, field{fieldPass, "1"})
	} else {
		list = append(list,
			field{fieldPass, "0"}, field{fieldTitle, m.Title}, field{fieldBody, m.Body},
			field{"notify_type", "-1"}, field{"notify_id", notifyID(m, id.key)})
	}
	if len(m.Data) > 0 || m.Kind == push.Data {
		// Not escaped here, since the form escapes it: text that is escaped twice arrives
		// with percent signs.
		text, err := body.Data(m.Data)
		if err != nil {
			return nil, err
		}
		list = append(list, field{fieldPayload, text})
	}
	list = append(list, field{"time_to_live", ttl(m, id.ttl)})
	list = append(list, extras(m, id)...)
	list = append(list, receiptFields(id)...)
	return merge(list, m.Overrides[Name])
}

// extras returns the fields for the phone. Xiaomi's phones show only the first message
// with the same jobkey, so a repeated request is not shown twice.
func extras(m *push.Message, id ident) []field {
	var list []field
	if m.Channel != "" {
		list = append(list, field{extraChannel, m.Channel})
	}
	if m.Kind != push.Data {
		list = append(list, click(m.Click, id.packageName)...)
		if m.Sound != "" {
			list = append(list, field{"extra.sound_uri", sound(m.Sound, id.packageName)})
		}
	}
	return append(list, field{"extra.jobkey", jobKey(id.key)})
}

func click(c *push.Click, packageName string) []field {
	effect := func(n, name, target string) []field {
		return []field{{"extra.notify_effect", n}, {extraPrefix + name, target}}
	}
	if c != nil {
		switch c.Action {
		case push.ClickURL:
			return effect("3", "web_uri", c.Target)
		case push.ClickIntent:
			return effect("2", "intent_uri", c.Target)
		case push.ClickActivity:
			return effect("2", "intent_uri", "intent:#Intent;component="+packageName+"/"+c.Target+";end")
		case push.ClickApp:
		}
	}
	return []field{{"extra.notify_effect", "1"}}
}

// sound returns the URI of a sound. Xiaomi has no short form for the app's own sounds.
func sound(name, packageName string) string {
	if strings.HasPrefix(name, "/raw/") {
		return "android.resource://" + packageName + name
	}
	return name
}

// notifyID returns the number of the notification. Without a number a phone shows only
// the app's last notification.
func notifyID(m *push.Message, key string) string {
	return strconv.FormatUint(uint64(body.NotifyID(m.CollapseID, key)), 10)
}

// jobKey returns 8 letters and digits derived from the request's key: older documents
// allow 8, newer ones 12. Two messages for one phone have the same jobkey in about one
// of 10^12 pairs.
func jobKey(key string) string {
	const values = 36 * 36 * 36 * 36 * 36 * 36 * 36 * 36
	h := fnv.New64a()
	h.Write([]byte(key))
	s := strconv.FormatUint(h.Sum64()%values, 36)
	return strings.Repeat("0", 8-len(s)) + s
}

// ttl returns milliseconds, at least 1,000. Only a message of a private channel may wait
// for longer than a day, and private channels are for service messages.
func ttl(m *push.Message, d time.Duration) string {
	longest := maxPublicTTL
	if m.Channel != "" && m.Class != push.Marketing {
		longest = maxPrivateTTL
	}
	return strconv.FormatInt(min(max(d, time.Second), longest).Milliseconds(), 10)
}

// channel returns the channel in whose quota the vendor counts a message. "": none.
func channel(list []field) string { return value(list, extraChannel) }

func value(list []field, name string) string {
	for _, f := range list {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

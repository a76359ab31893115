package simulator

import (
	"encoding/json"
	"strconv"
	"time"
)

// OPPO Push's server API, from https://open.oppomobile.com/new/developmentDoc/info
// with id=11234 (auth), 11235 (addresses and codes), 11236 (fields), 11238
// (unicast). The order of the checks, and which code answers which wrong field,
// is mostly not documented; ours goes from the outside of a request to its inside.

// OppoOptions are what OPPO's documents leave open.
type OppoOptions struct {
	// SavedLife is how long a message_id may be used; 0 means a day.
	SavedLife time.Duration
	// SavedTwice answers a second save with the same app_message_id with 32,
	// not with the first one's message_id.
	SavedTwice bool
	// DaySaves and DayMessages are how many messages of the public channel an
	// app may save and send on a day in Beijing; 0 means no limit.
	DaySaves, DayMessages int
	// RateCode answers an app that is over its rate; "" means 13. -2 and 55 were seen too.
	RateCode string
	// TextBuckets writes the invalid tokens of a broadcast as a string with
	// semicolons, as one client reads them.
	TextBuckets bool
	// AllInvalidAtTop answers a broadcast to invalid tokens alone with 10000 at the
	// top, not with 0 and all of them below.
	AllInvalidAtTop bool
	// Shuffled gives the items of a unicast_batch answer from the last to the first.
	Shuffled bool
	// TextCodes writes code and create_time as strings.
	TextCodes bool
	// InvalidIDs are what the feedback endpoint has to tell.
	InvalidIDs []string
}

// Texts by code. What no document quotes is worded here.
var oppoCodes = map[string]string{
	"-2":    "Service in Flow Control",
	"-1":    "Service Currently Unavailable",
	"11":    "Invalid AuthToken",
	"12":    "Http Action Not Allowed",
	"13":    "App Call Limited",
	"14":    "Invalid App Key",
	"15":    "Missing App Key",
	"16":    "Invalid Signature",
	"17":    "Missing Signature",
	"18":    "Missing Timestamp",
	"19":    "Invalid Timestamp",
	"25":    "Invalid Encoding",
	"28":    "App Disabled",
	"29":    "Missing Auth Token",
	"30":    "Api Permission Denied",
	"31":    "Data Not Exist",
	"32":    "Data Duplicate",
	"33":    "The number of messages exceeds the daily limit",
	"40":    "Missing Required Arguments",
	"41":    "Invalid Arguments",
	"42":    "保存消息超每日限量",
	"54":    "private_msg_template_id is null",
	"55":    "App Call Limited",
	"67":    "category error",
	"10000": "Invalid Registration_id",
	"10001": "Registration_id is not subscribed",
}

func oppo(o Options) vendor {
	p := &oppoPlayer{OppoOptions: o.Oppo, shelf: newShelf(), day: &xiaomiDay{}, delivered: &counts{}}
	p.pending = append(p.pending, o.Oppo.InvalidIDs...)
	const base = "/server/v1/"
	const message = base + "message/notification/"
	return vendor{
		name:     "oppo",
		envelope: p.envelope,
		endpoints: []endpoint{
			{name: "token", pattern: base + "auth", secret: true, open: p.openToken, handle: p.token, success: func(*call) answer { return p.granted("none", time.Time{}) }},
			{name: "unicast", pattern: message + "unicast", open: p.openUnicast, handle: p.unicast, success: p.unicastDone, sink: true},
			{name: "unicast_batch", pattern: message + "unicast_batch", open: p.openBatch, handle: p.batch, success: p.batchDone, sink: true},
			{name: "save", pattern: message + "save_message_content", open: p.openForm, handle: p.save, success: p.saveDone},
			{name: "broadcast", pattern: message + "broadcast", open: p.openBroadcast, handle: p.broadcast, success: p.broadcastDone, sink: true},
			{name: "invalid", pattern: base + "feedback/fetch_invalid_regidList", open: p.openQuery, handle: p.invalid, success: p.invalidDone},
			{name: "permit", pattern: base + "feedback/fetch_push_permit", open: p.openQuery, handle: p.permit, success: p.permit},
		},
	}
}

// oppoPlayer is OPPO with what it remembers beyond the frame.
type oppoPlayer struct {
	OppoOptions
	shelf     *shelf
	day       *xiaomiDay // by app and bucket
	delivered *counts    // of app_message_id and token
	feedback
}

// envelope answers a code: always under HTTP 200.
func (o *oppoPlayer) envelope(c *call, code string) answer {
	if code == "0" {
		return c.e.success(c)
	}
	text := oppoCodes[code]
	if text == "" {
		text = "Code " + code
	}
	return o.say(code, text, nil)
}

// say answers a code; data is left out when it is nil.
func (o *oppoPlayer) say(code, message string, data any) answer {
	a := struct {
		Code    any    `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{json.Number(code), message, data}
	if _, err := strconv.Atoi(code); err != nil || o.TextCodes {
		a.Code = code
	}
	body, _ := json.Marshal(a) // strings, numbers and lists of them always marshal
	return answer{contentType: "application/json;charset=UTF-8", body: body}
}

// oppoGrants: no document says how many access tokens an app gets.
var oppoGrants = grantLimit{life: 24 * time.Hour}

func (o *oppoPlayer) savedLife() time.Duration {
	if o.SavedLife > 0 {
		return o.SavedLife
	}
	return 24 * time.Hour
}

func (o *oppoPlayer) tooFast() string {
	if o.RateCode != "" {
		return o.RateCode
	}
	return "13"
}

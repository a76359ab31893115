// Package oppo plays OPPO Push's server API, from
// https://open.oppomobile.com/new/developmentDoc/info with id=11234 (auth), 11235
// (addresses and codes), 11236 (fields) and 11238 (unicast).
//
// The order of the checks and the code for each wrong field are mostly not
// documented: here the order goes from the outside of a request to its inside.
//
// It knows no adapter and no other player.
package oppo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Options choose where OPPO's documents leave something open.
type Options struct {
	// SavedLife is how long a message_id may be used; 0 means a day.
	SavedLife time.Duration
	// DaySaves and DayMessages are how many messages of the public channel an app
	// may save and send on a day in Beijing; 0 is no limit.
	DaySaves, DayMessages int
	// TextBuckets writes the invalid tokens of a broadcast as a string with
	// semicolons: one client expects that.
	TextBuckets bool
	// AllInvalidAtTop answers a broadcast whose tokens are all invalid with the code
	// 10000, not with 0 and a list of all of them.
	AllInvalidAtTop bool
	// Shuffled reverses the items in an answer to unicast_batch.
	Shuffled bool
	// TextCodes writes code and create_time as strings.
	TextCodes bool
	// InvalidIDs are the registration ids that the feedback endpoint returns.
	InvalidIDs []string
}

// codeTexts are texts by code. Texts that no document quotes are our own.
var codeTexts = map[string]string{
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

// New returns the player.
func New(o Options) play.Vendor {
	p := &player{Options: o, saved: play.NewStoredMessages()}
	p.pending = append(p.pending, o.InvalidIDs...)
	const base = "/server/v1/"
	const message = base + "message/notification/"
	return play.Vendor{
		Name:     "oppo",
		Envelope: p.envelope,
		Receipts: receipts,
		Endpoints: []play.Endpoint{
			{Name: "token", Pattern: base + "auth", Secret: true, Open: p.openToken, Handle: p.token, Success: func(*play.Call) play.Answer { return p.granted("none", time.Time{}) }},
			{Name: "unicast", Pattern: message + "unicast", Open: p.openUnicast, Handle: p.unicast, Success: p.unicastDone, Sink: true},
			{Name: "unicast_batch", Pattern: message + "unicast_batch", Open: p.openBatch, Handle: p.batch, Success: p.batchDone, Sink: true},
			{Name: "save", Pattern: message + "save_message_content", Open: p.openForm, Handle: p.save, Success: p.saveDone},
			{Name: "broadcast", Pattern: message + "broadcast", Open: p.openBroadcast, Handle: p.broadcast, Success: p.broadcastDone, Sink: true},
			{Name: "invalid", Pattern: base + "feedback/fetch_invalid_regidList", Open: p.openQuery, Handle: p.invalid, Success: p.invalidDone},
			{Name: "permit", Pattern: base + "feedback/fetch_push_permit", Open: p.openQuery, Handle: p.permit, Success: p.permit},
		},
	}
}

// player is OPPO with what it remembers.
type player struct {
	Options
	saved     *play.StoredMessages
	day       play.DayCounter // messages and saves, by app
	delivered play.Counts     // by token, app and app_message_id
	feedback
}

// envelope answers a code, always with HTTP 200.
func (o *player) envelope(c *play.Call, code string) play.Answer {
	if code == "0" {
		return c.Success()
	}
	text := codeTexts[code]
	if text == "" {
		text = "Code " + code
	}
	return o.say(code, text, nil)
}

// say answers a code; data is left out when it is nil.
func (o *player) say(code, message string, data any) play.Answer {
	a := struct {
		Code    any    `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{json.Number(code), message, data}
	if _, err := strconv.Atoi(code); err != nil || o.TextCodes {
		a.Code = code
	}
	body, _ := json.Marshal(a) // strings, numbers and lists of them always marshal
	return play.Answer{ContentType: "application/json;charset=UTF-8", Body: body}
}

// grants have no limit: no document says how many access tokens an app gets.
var grants = play.GrantLimit{Life: 24 * time.Hour}

func (o *player) savedLife() time.Duration {
	return cmp.Or(o.SavedLife, 24*time.Hour)
}

// codeTooFast answers an app that is over its rate. -2 and 55 were seen too.
const codeTooFast = "13"

// newID has the form of the document's: 24 hex digits, each time different.
func newID(c *play.Call) string {
	return fmt.Sprintf("%08x%016x", uint32(c.Now.Unix()), c.Serial())
}

package simulator

import (
	"encoding/json"
	"math"
)

// What a request may hold, from https://cloud.tencent.com/document/product/269/108906,
// /269/1612, /269/2720 (elements of a message) and /269/133879 (OfflinePushInfo).

const (
	timField = "90057"
	timInfo  = "90043"
	timBody  = "90002"
)

var timPush = timAPI{
	random: "90001", info: "90001",
	fields: object(
		field{"From_Account", text(0, "")},
		field{"To_Account", anything}, // the scanner has read it
		field{"MsgRandom", integer(0, math.MaxUint32, "90001")},
		field{"OfflinePushInfo", timOfflinePush},
		field{"DataId", bytesAtMost(64, timField)},
	),
}

var timChat = timAPI{
	chat: true, random: "90005",
	fields: object(
		field{"From_Account", text(0, "")},
		field{"To_Account", anything}, // the scanner has read it
		field{"SyncOtherMachine", integer(1, 2, timField)},
		field{"MsgSeq", integer(0, math.MaxUint32, timField)},
		field{"MsgRandom", integer(0, math.MaxUint32, "90005")},
		field{"MsgLifeTime", integer(0, 604800, "90026")},
		field{"OnlineOnlyFlag", integer(0, 1, timField)},
		field{"SendMsgControl", list(0, "", word(timField, "NoUnread", "NoLastMsg", "WithMuteNotifications", "NoMsgCheck"))},
		field{"MsgBody", timMsgBody},
		field{"CloudCustomData", text(0, "")},
		field{"OfflinePushInfo", timOfflinePush},
	),
}

var timElement = object(
	field{"MsgType", word("90010", "TIMTextElem", "TIMLocationElem", "TIMFaceElem", "TIMCustomElem", "TIMSoundElem", "TIMImageElem", "TIMFileElem", "TIMVideoFileElem")},
	field{"MsgContent", object(field{"Text", text(0, "")}, field{"Data", text(0, "")}, field{"Desc", text(0, "")}, field{"Ext", text(0, "")}, field{"Sound", text(0, "")})},
)

func timMsgBody(p *probe, path string, v any) {
	elements, ok := v.([]any)
	switch {
	case !ok:
		p.wrong(path, "is not an array", "90007")
	case len(elements) == 0:
		p.wrong(path, "is empty", timBody)
	}
	list(0, "", timElement)(p, path, v)
}

var timOfflinePush = object(
	field{"PushFlag", integer(0, 1, timInfo)},
	field{"Title", text(0, "")},
	field{"Desc", text(0, "")},
	field{"Ext", timExt},
	field{"BadgeAddNum", integer(0, math.MaxInt32, timInfo)},
	field{"BadgeSetNum", integer(0, math.MaxInt32, timInfo)},
	field{"PushTemplateId", anything},
	field{"PushTemplateParam", anything},
	field{"MultiLanguageContent", anything},
	field{"AndroidInfo", object(
		field{"Sound", text(0, "")},
		field{"HuaWeiChannelID", text(0, "")},
		field{"HuaWeiImportance", word(timInfo, "LOW", "NORMAL")},
		field{"HuaWeiCategory", text(0, "")},
		field{"HuaWeiImage", text(0, "")},
		field{"ExtAsHuaweiIntentParam", integer(0, 1, timInfo)},
		field{"HonorImportance", word(timInfo, "LOW", "NORMAL")},
		field{"HonorImage", text(0, "")},
		field{"XiaoMiChannelID", text(0, "")},
		field{"OPPOChannelID", text(0, "")},
		field{"OPPOCategory", text(0, "")},
		field{"OPPONotifyLevel", integer(1, 16, timInfo)},
		field{"OPPOPrivateMsgTemplateId", text(0, "")},
		field{"OPPOPrivateTitleParameters", anything},
		field{"OPPOPrivateContentParameters", anything},
		field{"VIVOClassification", integer(0, 1, timInfo)},
		field{"VIVOCategory", text(0, "")},
		field{"VIVONotifyType", integer(1, 4, timInfo)},
		field{"MeiZuNoticeMsgType", integer(0, 1, timInfo)},
		field{"GoogleChannelID", text(0, "")},
		field{"GooglePriority", text(0, "")},
		field{"GoogleImage", text(0, "")},
		field{"PushStyle", anything},
	)},
	field{"ApnsInfo", object(
		field{"Sound", text(0, "")},
		field{"BadgeMode", integer(0, 1, timInfo)},
		field{"Title", text(0, "")},
		field{"SubTitle", text(0, "")},
		field{"Image", text(0, "")},
		field{"MutableContent", integer(0, 1, timInfo)},
		field{"InterruptionLevel", text(0, "")},
		field{"ContentAvailable", integer(0, 1, timInfo)},
		field{"IsVoipPush", integer(0, 1, timInfo)},
		field{"LiveActivity", anything},
	)},
	field{"HarmonyInfo", object(
		field{"Title", text(0, "")},
		field{"Category", text(0, "")},
		field{"Image", text(0, "")},
		field{"Sound", text(0, "")},
		field{"SoundDuration", anything},
	)},
)

// timExt is a string that should hold JSON: some phone vendors drop it otherwise.
func timExt(p *probe, path string, v any) {
	s, ok := v.(string)
	switch {
	case !ok:
		p.misshapen(path, "a string")
	case s != "" && !json.Valid([]byte(s)):
		p.wrong(path, "is not JSON, so some phones do not get it", "")
	}
}

// timMeaning checks what is required, and what several fields say together.
func timMeaning(p *probe, root map[string]any, a timAPI) {
	if !filled(root, "From_Account") {
		p.wrong("From_Account", "is missing", "90008")
	}
	if root["MsgRandom"] == nil {
		p.wrong("MsgRandom", "is missing", a.random)
	}
	info := inside(root, "OfflinePushInfo")
	switch {
	case !a.chat && info == nil:
		p.wrong("OfflinePushInfo", "is missing", a.info)
	case !a.chat && (!filled(info, "Title") || !filled(info, "Desc")):
		p.wrong("OfflinePushInfo", "has no Title or no Desc: there is nothing to show", "")
	case a.chat && root["MsgBody"] == nil:
		p.wrong("MsgBody", "is missing", timBody)
	case a.chat && root["MsgLifeTime"] == json.Number("0"):
		p.wrong("MsgLifeTime", "is 0: phones that are offline get nothing", "")
	}
}

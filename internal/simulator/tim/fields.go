package tim

import (
	"encoding/json"
	"math"

	"github.com/postrider/postrider/internal/simulator/play"
)

// What a request may hold, from https://cloud.tencent.com/document/product/269/108906,
// /269/1612, /269/2720 (elements of a message) and /269/133879 (OfflinePushInfo).

const (
	codeField = "90057"
	codeInfo  = "90043"
	codeBody  = "90002"
)

var pushAPI = api{
	random: "90001", info: "90001",
	fields: play.Object(
		play.Field("From_Account", play.Text(0, "")),
		play.Field("To_Account", play.Anything), // read by the scanner
		play.Field("MsgRandom", play.Integer(0, math.MaxUint32, "90001")),
		play.Field("OfflinePushInfo", offlinePushFields),
		play.Field("DataId", play.BytesAtMost(64, codeField)),
	),
}

var chatAPI = api{
	chat: true, random: "90005",
	fields: play.Object(
		play.Field("From_Account", play.Text(0, "")),
		play.Field("To_Account", play.Anything), // read by the scanner
		play.Field("SyncOtherMachine", play.Integer(1, 2, codeField)),
		play.Field("MsgSeq", play.Integer(0, math.MaxUint32, codeField)),
		play.Field("MsgRandom", play.Integer(0, math.MaxUint32, "90005")),
		play.Field("MsgLifeTime", play.Integer(0, 604800, "90026")),
		play.Field("OnlineOnlyFlag", play.Integer(0, 1, codeField)),
		play.Field("SendMsgControl", play.List(0, "", play.OneOf(codeField, "NoUnread", "NoLastMsg", "WithMuteNotifications", "NoMsgCheck"))),
		play.Field("MsgBody", checkMsgBody),
		play.Field("CloudCustomData", play.Text(0, "")),
		play.Field("OfflinePushInfo", offlinePushFields),
	),
}

var elementFields = play.Object(
	play.Field("MsgType", play.OneOf("90010", "TIMTextElem", "TIMLocationElem", "TIMFaceElem", "TIMCustomElem", "TIMSoundElem", "TIMImageElem", "TIMFileElem", "TIMVideoFileElem")),
	play.Field("MsgContent", play.Object(play.Field("Text", play.Text(0, "")), play.Field("Data", play.Text(0, "")), play.Field("Desc", play.Text(0, "")), play.Field("Ext", play.Text(0, "")), play.Field("Sound", play.Text(0, "")))),
)

func checkMsgBody(p *play.Findings, path string, v any) {
	elements, ok := v.([]any)
	switch {
	case !ok:
		p.Wrong(path, "is not an array", "90007")
	case len(elements) == 0:
		p.Wrong(path, "is empty", codeBody)
	}
	play.List(0, "", elementFields)(p, path, v)
}

var offlinePushFields = play.Object(
	play.Field("PushFlag", play.Integer(0, 1, codeInfo)),
	play.Field("Title", play.Text(0, "")),
	play.Field("Desc", play.Text(0, "")),
	play.Field("Ext", checkExt),
	play.Field("BadgeAddNum", play.Integer(0, math.MaxInt32, codeInfo)),
	play.Field("BadgeSetNum", play.Integer(0, math.MaxInt32, codeInfo)),
	play.Field("PushTemplateId", play.Anything),
	play.Field("PushTemplateParam", play.Anything),
	play.Field("MultiLanguageContent", play.Anything),
	play.Field("AndroidInfo", play.Object(
		play.Field("Sound", play.Text(0, "")),
		play.Field("HuaWeiChannelID", play.Text(0, "")),
		play.Field("HuaWeiImportance", play.OneOf(codeInfo, "LOW", "NORMAL")),
		play.Field("HuaWeiCategory", play.Text(0, "")),
		play.Field("HuaWeiImage", play.Text(0, "")),
		play.Field("ExtAsHuaweiIntentParam", play.Integer(0, 1, codeInfo)),
		play.Field("HonorImportance", play.OneOf(codeInfo, "LOW", "NORMAL")),
		play.Field("HonorImage", play.Text(0, "")),
		play.Field("XiaoMiChannelID", play.Text(0, "")),
		play.Field("OPPOChannelID", play.Text(0, "")),
		play.Field("OPPOCategory", play.Text(0, "")),
		play.Field("OPPONotifyLevel", play.Integer(1, 16, codeInfo)),
		play.Field("OPPOPrivateMsgTemplateId", play.Text(0, "")),
		play.Field("OPPOPrivateTitleParameters", play.Anything),
		play.Field("OPPOPrivateContentParameters", play.Anything),
		play.Field("VIVOClassification", play.Integer(0, 1, codeInfo)),
		play.Field("VIVOCategory", play.Text(0, "")),
		play.Field("VIVONotifyType", play.Integer(1, 4, codeInfo)),
		play.Field("MeiZuNoticeMsgType", play.Integer(0, 1, codeInfo)),
		play.Field("GoogleChannelID", play.Text(0, "")),
		play.Field("GooglePriority", play.Text(0, "")),
		play.Field("GoogleImage", play.Text(0, "")),
		play.Field("PushStyle", play.Anything),
	)),
	play.Field("ApnsInfo", play.Object(
		play.Field("Sound", play.Text(0, "")),
		play.Field("BadgeMode", play.Integer(0, 1, codeInfo)),
		play.Field("Title", play.Text(0, "")),
		play.Field("SubTitle", play.Text(0, "")),
		play.Field("Image", play.Text(0, "")),
		play.Field("MutableContent", play.Integer(0, 1, codeInfo)),
		play.Field("InterruptionLevel", play.Text(0, "")),
		play.Field("ContentAvailable", play.Integer(0, 1, codeInfo)),
		play.Field("IsVoipPush", play.Integer(0, 1, codeInfo)),
		play.Field("LiveActivity", play.Anything),
	)),
	play.Field("HarmonyInfo", play.Object(
		play.Field("Title", play.Text(0, "")),
		play.Field("Category", play.Text(0, "")),
		play.Field("Image", play.Text(0, "")),
		play.Field("Sound", play.Text(0, "")),
		play.Field("SoundDuration", play.Anything),
	)),
)

// checkExt checks a string that should be JSON: some phone vendors drop it otherwise.
func checkExt(p *play.Findings, path string, v any) {
	s, ok := v.(string)
	switch {
	case !ok:
		p.MustBe(path, "a string")
	case s != "" && !json.Valid([]byte(s)):
		p.Wrong(path, "is not JSON, so some phones do not get it", "")
	}
}

// checkMeaning checks which fields are required and how they depend on each other.
func checkMeaning(p *play.Findings, root map[string]any, a api) {
	if !play.Filled(root, "From_Account") {
		p.Wrong("From_Account", "is missing", "90008")
	}
	if root["MsgRandom"] == nil {
		p.Wrong("MsgRandom", "is missing", a.random)
	}
	info := play.Inside(root, "OfflinePushInfo")
	switch {
	case !a.chat && info == nil:
		p.Wrong("OfflinePushInfo", "is missing", a.info)
	case !a.chat && (!play.Filled(info, "Title") || !play.Filled(info, "Desc")):
		p.Wrong("OfflinePushInfo", "has no Title or no Desc: there is nothing to show", "")
	case a.chat && root["MsgBody"] == nil:
		p.Wrong("MsgBody", "is missing", codeBody)
	case a.chat && root["MsgLifeTime"] == json.Number("0"):
		p.Wrong("MsgLifeTime", "is 0: phones that are offline get nothing", "")
	}
}

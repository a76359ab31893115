package tim

import (
	"encoding/json"
	"fmt"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// offlinePush is the value of OfflinePushInfo:
// https://cloud.tencent.com/document/product/269/133879
// A field whose zero is not its default has no omitempty.
type offlinePush struct {
	PushFlag    int          `json:"PushFlag"` // 0: push; 1: no push
	Title       string       `json:"Title,omitempty"`
	Desc        string       `json:"Desc,omitempty"`
	Ext         string       `json:"Ext,omitempty"` // JSON, or some vendors drop it
	BadgeSetNum *int         `json:"BadgeSetNum,omitempty"`
	AndroidInfo *androidInfo `json:"AndroidInfo,omitempty"`
	ApnsInfo    *apnsInfo    `json:"ApnsInfo,omitempty"`
	HarmonyInfo *harmonyInfo `json:"HarmonyInfo,omitempty"`
}

type androidInfo struct {
	Sound              string `json:"Sound,omitempty"`
	HuaWeiChannelID    string `json:"HuaWeiChannelID,omitempty"`
	HuaWeiImportance   string `json:"HuaWeiImportance"`
	HuaWeiCategory     string `json:"HuaWeiCategory,omitempty"`
	HuaWeiImage        string `json:"HuaWeiImage,omitempty"`
	HonorImportance    string `json:"HonorImportance"`
	HonorImage         string `json:"HonorImage,omitempty"`
	XiaoMiChannelID    string `json:"XiaoMiChannelID,omitempty"`
	OPPOChannelID      string `json:"OPPOChannelID,omitempty"`
	OPPOCategory       string `json:"OPPOCategory,omitempty"`
	VIVOClassification int    `json:"VIVOClassification"`
	VIVOCategory       string `json:"VIVOCategory,omitempty"`
	MeiZuNoticeMsgType int    `json:"MeiZuNoticeMsgType"`
	GoogleChannelID    string `json:"GoogleChannelID,omitempty"`
	GoogleImage        string `json:"GoogleImage,omitempty"`
}

type apnsInfo struct {
	Sound string `json:"Sound,omitempty"`
	Image string `json:"Image,omitempty"`
}

type harmonyInfo struct {
	Category string `json:"Category,omitempty"`
	Image    string `json:"Image,omitempty"`
	Sound    string `json:"Sound,omitempty"`
}

// chat has the fields of a chat message that do not depend on the request.
type chat struct {
	MsgBody         []element       `json:"MsgBody"`
	SendMsgControl  []string        `json:"SendMsgControl,omitempty"`
	CloudCustomData string          `json:"CloudCustomData,omitempty"`
	OfflinePushInfo json.RawMessage `json:"OfflinePushInfo"`
}

type element struct {
	MsgType    string  `json:"MsgType"`
	MsgContent content `json:"MsgContent"`
}

// content is the content of a TIMTextElem or a TIMCustomElem:
// https://cloud.tencent.com/document/product/269/2720
type content struct {
	Text *string `json:"Text,omitempty"`
	Data *string `json:"Data,omitempty"`
}

// pushInfo returns OfflinePushInfo with overrides merged.
func pushInfo(m *push.Message) ([]byte, error) {
	info, err := newOfflinePush(m)
	if err != nil {
		return nil, err
	}
	return overrides.Merge(info, m.Overrides[Name])
}

// newOfflinePush returns OfflinePushInfo without overrides. For a data message it says
// only that nothing is shown.
func newOfflinePush(m *push.Message) (*offlinePush, error) {
	if isData(m) {
		return &offlinePush{PushFlag: 1}, nil
	}
	ext, err := dataText(m)
	if err != nil {
		return nil, err
	}
	k := category(m)
	info := &offlinePush{Title: m.Title, Desc: m.Body, Ext: ext, BadgeSetNum: m.Badge, AndroidInfo: newAndroid(m, k)}
	if m.Sound != "" || m.Image != "" {
		info.ApnsInfo = &apnsInfo{Sound: m.Sound, Image: m.Image}
	}
	if m.Sound != "" || m.Image != "" || k.Huawei != "" {
		info.HarmonyInfo = &harmonyInfo{Category: k.Huawei, Image: m.Image, Sound: m.Sound}
	}
	return info, nil
}

func newAndroid(m *push.Message, k categoryNames) *androidInfo {
	a := &androidInfo{
		Sound:           m.Sound,
		HuaWeiChannelID: m.Channel, XiaoMiChannelID: m.Channel, OPPOChannelID: m.Channel, GoogleChannelID: m.Channel,
		HuaWeiImage: m.Image, HonorImage: m.Image, GoogleImage: m.Image,
		HuaWeiCategory: k.Huawei, OPPOCategory: k.OPPO, VIVOCategory: k.VIVO, VIVOClassification: vivoClass(m, k.VIVO),
		HuaWeiImportance: "NORMAL", HonorImportance: "NORMAL", MeiZuNoticeMsgType: 1,
	}
	if m.Class == push.Marketing {
		a.HuaWeiImportance, a.HonorImportance, a.MeiZuNoticeMsgType = "LOW", "LOW", 0
	}
	return a
}

// chatMessage returns the members of a chat message, without the braces. A data message
// is not counted as unread and is not shown as the last message of a chat.
func chatMessage(m *push.Message) ([]byte, error) {
	info, err := pushInfo(m)
	if err != nil {
		return nil, err
	}
	data, err := dataText(m)
	if err != nil {
		return nil, err
	}
	c := chat{OfflinePushInfo: info}
	if isData(m) {
		if data == "" {
			data = "{}"
		}
		c.MsgBody = []element{{"TIMCustomElem", content{Data: &data}}}
		c.SendMsgControl = []string{"NoUnread", "NoLastMsg"}
	} else {
		c.MsgBody = []element{{"TIMTextElem", content{Text: &m.Body}}}
		c.CloudCustomData = data
	}
	b, err := body.Encode(c)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return b[1 : len(b)-1], nil
}

// dataText returns the message's data as JSON. "": it has no data.
func dataText(m *push.Message) (string, error) {
	if len(m.Data) == 0 {
		return "", nil
	}
	return body.Data(m.Data)
}

package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

type doc = map[string]any

// jsonLetter is a call whose body is JSON.
func jsonLetter(v any) letter {
	body, _ := json.Marshal(v) // strings, numbers, lists and objects always marshal
	return letter{contentType: "application/json", body: body}
}

// statuses is the body of those whose calls list one object a token.
func statuses(list []fate, one func(fate) doc) letter {
	all := make([]doc, len(list))
	for i, f := range list {
		all[i] = one(f)
	}
	return jsonLetter(doc{"statuses": all})
}

// pick is one of two words for a fate.
func pick[T any](f fate, reached, lost T) T {
	if f.lost {
		return lost
	}
	return reached
}

// callbackID is Huawei's signature of a call: of its time, a nonce and the user.
func callbackID(r Receipts, now time.Time) http.Header {
	const nonce = "83ddc4a2-1a2c-4d2e-9a1c-1f2ab3f0e1a7"
	ms := strconv.FormatInt(now.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(r.Secret))
	mac.Write([]byte(ms + nonce + r.User))
	value := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return http.Header{"X-Huawei-Callback-Id": {"timestamp=" + ms + "; nonce=" + nonce + "; value=" + value}}
}

// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-receipt-api-0000001051066120
func huaweiLetter(r Receipts, app string, now time.Time, list []fate) letter {
	n := statuses(list, func(f fate) doc {
		return doc{"biTag": f.tag, "appid": app, "token": f.token, "status": pick(f, 0, 2), "timestamp": now.UnixMilli(), "requestId": f.tag}
	})
	n.header = callbackID(r, now)
	return n
}

// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-api-msg-receipt
func harmonyLetter(r Receipts, _ string, now time.Time, list []fate) letter {
	n := statuses(list, func(f fate) doc {
		return doc{
			"token": f.token, "pushType": 0, "appPackageName": "com.example.shop", "biTag": f.tag, "requestId": f.tag,
			"deliveryStatus": doc{"result": pick(f, 0, 2), "timestamp": now.UnixMilli()},
		}
	})
	n.header = callbackID(r, now)
	return n
}

// https://developer.honor.com/cn/docs/11002/reference/downlink-message
func honorLetter(_ Receipts, app string, now time.Time, list []fate) letter {
	return statuses(list, func(f fate) doc {
		return doc{"biTag": f.tag, "appid": app, "token": f.token, "status": pick(f, 40000002, 40000003), "timestamp": now.UnixMilli(), "requestId": app + "-" + f.tag}
	})
}

// https://open.oppomobile.com/new/developmentDoc/info?id=11239
func oppoLetter(_ Receipts, app string, now time.Time, list []fate) letter {
	var all []doc
	for _, g := range gather(list) {
		id := "5f2a0c0d" + strconv.FormatInt(now.UnixNano(), 16)
		all = append(all, doc{
			"messageId": id, "appId": app, "taskId": id, "registrationIds": g.targets(), "eventTime": strconv.FormatInt(now.UnixMilli(), 10),
			"param": g.tag, "eventType": pick(g.fate, "push_arrive", "regid_invalid"),
		})
	}
	return jsonLetter(all)
}

// https://dev.vivo.com.cn/documentCenter/doc/362
func vivoLetter(_ Receipts, _ string, now time.Time, list []fate) letter {
	tasks := doc{}
	for i, g := range gather(list) {
		tasks[strconv.FormatInt(now.UnixMicro(), 10)+strconv.Itoa(i)] = doc{
			"targets": g.targets(), "param": g.tag, "ackType": pick(g.fate, "0", "20002"), "ackTime": now.UnixMilli(),
		}
	}
	return jsonLetter(tasks)
}

// timLetter is a call of Tencent's, stage 2 being "arrived":
// https://cloud.tencent.com/document/product/269/102567
func timLetter(r Receipts, app string, now time.Time, list []fate) letter {
	const command = "Push.AllMemberPush"
	var events []doc
	for _, f := range list {
		events = append(events, doc{
			"CallbackCommand": command, "EventType": 1, "EventTime": now.Unix(), "TaskId": "batch_" + f.tag, "DataId": f.tag, "To_Account": f.token,
			"PushPlatform": 3, "DeviceType": 2, "PushStage": pick(f, 2, 1), "ErrCode": pick(f, 0, -201), "ErrInfo": pick(f, "OK", "invalid token"),
		})
	}
	at := strconv.FormatInt(now.Unix(), 10)
	sum := sha256.Sum256([]byte(r.Secret + at))
	n := jsonLetter(doc{"CallbackCommand": command, "Events": events})
	n.query = url.Values{
		"SdkAppid": {app}, "CallbackCommand": {command}, "contenttype": {"json"}, "OptPlatform": {"RESTAPI"},
		"Sign": {hex.EncodeToString(sum[:])}, "RequestTime": {at},
	}
	return n
}

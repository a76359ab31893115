package tim

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// pushBody returns the body of a request to the push service:
// https://cloud.tencent.com/document/product/269/108906
// The message is encoded once and the accounts are appended, so the number of
// allocations does not grow with them. Callbacks return DataId.
func (a *adapter) pushBody(r *vendors.Request) ([]byte, error) {
	info, err := pushInfo(r.Message)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 256+len(a.identifier)+len(info)+body.StringsSize(r.Tokens))
	b = body.AppendString(append(b, `{"From_Account":`...), a.identifier)
	b = strconv.AppendUint(append(b, `,"MsgRandom":`...), uint64(msgRandom(r)), 10)
	b = body.AppendString(append(b, `,"DataId":`...), r.Key)
	b = append(append(b, `,"OfflinePushInfo":`...), info...)
	return appendAccounts(b, r.Tokens), nil
}

// chatBody returns the body of a chat message to several accounts:
// https://cloud.tencent.com/document/product/269/1612
// SyncOtherMachine 2 keeps it out of the sender's own list of chats.
func (a *adapter) chatBody(r *vendors.Request) ([]byte, error) {
	msg, err := chatMessage(r.Message)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 512+len(a.identifier)+len(msg)+body.StringsSize(r.Tokens))
	b = body.AppendString(append(b, `{"SyncOtherMachine":2,"From_Account":`...), a.identifier)
	b = strconv.AppendUint(append(b, `,"MsgSeq":`...), uint64(hashed(r.Key)), 10)
	b = strconv.AppendUint(append(b, `,"MsgRandom":`...), uint64(msgRandom(r)), 10)
	b = strconv.AppendInt(append(b, `,"MsgLifeTime":`...), lifeTime(r.TTL), 10)
	b = append(append(b, ','), msg...)
	return appendAccounts(b, r.Tokens), nil
}

// appendAccounts appends the accounts and the end of the body.
func appendAccounts(b []byte, tokens []string) []byte {
	b = body.AppendStrings(append(b, `,"To_Account":[`...), tokens)
	return append(b, `]}`...)
}

// lifeTime returns seconds, at least one: with 0 only phones that are online would get
// the message.
func lifeTime(ttl time.Duration) int64 { return min(max(int64(ttl/time.Second), 1), maxLife) }

// msgRandom returns the number by which Tencent recognises a repeated request within
// a second. It is the same if the same request is repeated, and differs for other
// accounts of the same message, whose request would otherwise count as a repetition.
func msgRandom(r *vendors.Request) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.Key))
	sum := h.Sum32()
	for _, t := range r.Tokens {
		for i := range len(t) {
			sum = (sum ^ uint32(t[i])) * 16777619 // FNV-1a continued, without a copy of the token
		}
		sum = (sum ^ ',') * 16777619
	}
	return positive(sum)
}

// random returns the URL parameter random, which should differ in every request. It is
// not related to MsgRandom.
func random(r *vendors.Request) uint32 {
	return hashed(r.Key + strconv.FormatInt(r.Now.UnixNano(), 10) + strconv.FormatUint(uint64(msgRandom(r)), 10))
}

func hashed(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return positive(h.Sum32())
}

// positive limits n to 31 bits, which a server with signed numbers also accepts, and
// avoids 0, which may mean no number.
func positive(n uint32) uint32 { return max(n&0x7fffffff, 1) }

// isData reports whether a message is only for the app.
func isData(m *push.Message) bool { return m.Kind == push.Data }

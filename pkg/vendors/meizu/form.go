package meizu

import (
	"crypto/md5" // the vendor accepts no other signature
	"encoding/hex"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// form returns the body of a request. The signature is over the decoded values, so the
// signed text is built first and the values are encoded from it, without an allocation
// per token.
//
// The signature is the MD5 of name=value for each parameter, ordered by name and
// without separators, followed by the secret: https://github.com/MEIZUPUSH/PushAPI
func form(appID string, msg []byte, tokens []string, secret vendors.Secret) []byte {
	size := len(appID) + len(msg) + len("appId=messageJson=pushIds=") + len(secret.Reveal())
	for _, t := range tokens {
		size += len(t) + 1
	}
	plain := append(append(make([]byte, 0, size), "appId="...), appID...)
	plain = append(append(plain, "messageJson="...), msg...)
	plain = append(plain, "pushIds="...)
	ids := len(plain)
	for i, t := range tokens {
		if i > 0 {
			plain = append(plain, ',')
		}
		plain = append(plain, t...)
	}
	end := len(plain)
	sum := sign(append(plain, secret.Reveal()...))

	b := make([]byte, 0, 2*size+len("&sign=")+len(sum))
	b = body.AppendForm(append(b, "appId="...), appID)
	b = body.AppendForm(append(b, "&messageJson="...), msg)
	b = body.AppendForm(append(b, "&pushIds="...), plain[ids:end])
	b = append(b, "&sign="...)
	return append(b, sum[:]...)
}

// sign returns the MD5 of the text in lower-case hex.
func sign(text []byte) (hexed [2 * md5.Size]byte) {
	sum := md5.Sum(text)
	hex.Encode(hexed[:], sum[:])
	return hexed
}

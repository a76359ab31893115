package registry_test

import (
	"fmt"
	"testing"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// A vendor knows a message by what its adapter makes of the key: the same key
// is the same message, and of a hundred keys no two are.
func TestTwoKeysAreTwoMessagesToTheVendor(t *testing.T) {
	const keys = 100
	each(t, func(t *testing.T, spec vendors.Spec) {
		for name, m := range map[string]*push.Message{
			"a notification": {Title: "title", Body: "body"},
			"marketing":      {Title: "title", Body: "body", Class: push.Marketing},
			"data":           {Kind: push.Data, Data: map[string]string{"order": "42"}},
		} {
			if len(spec.Check(m)) > 0 || spec.Name == "meizu" && m.Kind == push.Data {
				continue // the vendor has no such message; Meizu takes no key with data, and repeats what is repeated
			}
			for _, tokens := range [][]string{{"distinct-token-1"}, {"distinct-token-1", "distinct-token-2"}} {
				t.Run(fmt.Sprintf("%s to %d", name, len(tokens)), func(t *testing.T) {
					b := newBench(t, spec)
					b.answer(b.fill(read(t, spec, "answers/success.http")))
					seen := map[string]string{}
					for i := range keys {
						key := fmt.Sprintf("%032x", i)
						body := b.identified(t, m, tokens, key)
						if other := seen[body]; other != "" {
							t.Fatalf("the keys %s and %s are one message", other, key)
						}
						seen[body] = key
						if i == 0 && b.identified(t, m, tokens, key) != body {
							t.Fatal("one key is another message when it is sent again")
						}
					}
				})
			}
		}
	})
}

// identified is the body of the request that the vendor knows a message by: that
// which saves it, where it is saved.
func (b *bench) identified(t *testing.T, m *push.Message, tokens []string, key string) string {
	t.Helper()
	r := b.request()
	r.Message, r.Tokens, r.Key, r.UploadID = m, tokens, key, ""
	if s, ok := b.vendor.(vendors.Uploader); ok && s.NeedsUpload(r) {
		_, _ = s.Upload(t.Context(), r) // what is answered is of no interest
	} else if _, err := b.vendor.Send(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	_, body := b.received()
	return string(body)
}

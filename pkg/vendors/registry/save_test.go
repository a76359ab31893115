package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// A vendor that is a Saver has in its testdata:
//
//	save/message.json    a push.Message that has to be saved
//	save/NAME.json       more of them, and .golden the request that saves each
//	save/NAME.http       an answer to saving, and .want what it comes to:
//	                     "saved ID SECONDS" or "error level/code"
//	save/gone*.http      answers to a send of a message that is not saved any more
//
// In codes.tsv a response code save/NNN is NNN as answer to saving, where that
// means another thing than as answer to a send.
const saveCode = "save/"

// eachSaver runs a test for every vendor that saves messages.
func eachSaver(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		if _, ok := b.vendor.(vendors.Uploader); ok {
			test(t, b)
		}
	})
}

// toSave is a request whose message has to be saved.
func (b *bench) toSave(t *testing.T, name string) *vendors.Request {
	t.Helper()
	r := b.request()
	r.Message = message(t, read(t, b.spec, "upload/"+name+".json"))
	if r.TTL = time.Duration(r.Message.TTL); r.TTL == 0 {
		r.TTL = push.DefaultTTL
	}
	r.UploadID = ""
	if faults := b.spec.Check(r.Message); len(faults) > 0 {
		t.Fatalf("the message has faults: %v", faults)
	}
	if !b.vendor.(vendors.Uploader).NeedsUpload(r) {
		t.Fatalf("save/%s.json is a message that needs no saving", name)
	}
	return r
}

// save saves and fails the test unless exactly one request was made, without
// any token in it.
func (b *bench) save(ctx context.Context, t *testing.T) (vendors.Uploaded, error) {
	t.Helper()
	before := b.requests.Load()
	saved, err := b.vendor.(vendors.Uploader).Upload(ctx, b.toSave(t, "message"))
	if n := b.requests.Load() - before; n != 1 {
		t.Errorf("Save made %d requests, want 1", n)
	}
	_, body := b.received()
	for i, token := range b.tokens {
		if strings.Contains(string(body), token) {
			t.Errorf("token %d stands in the request that saves", i)
		}
	}
	b.noLeak(t, vendors.Answer{}, err)
	return saved, err
}

func TestGoldenSaveRequests(t *testing.T) {
	eachSaver(t, func(t *testing.T, b *bench) {
		b.answer(b.fill(read(t, b.spec, "upload/uploaded.http")))
		for _, name := range fixtures(t, b.spec, "upload", ".json") {
			t.Run(name, func(t *testing.T) {
				if _, err := b.vendor.(vendors.Uploader).Upload(t.Context(), b.toSave(t, name)); err != nil {
					t.Fatal(err)
				}
				golden(t, b, "upload/"+name+".golden")
			})
		}
	})
}

func TestDocumentedSavesAreReadAsDocumented(t *testing.T) {
	eachSaver(t, func(t *testing.T, b *bench) {
		for _, name := range fixtures(t, b.spec, "upload", ".want") {
			t.Run(name, func(t *testing.T) {
				b.answer(b.fill(read(t, b.spec, "upload/"+name+".http")))
				saved, err := b.save(t.Context(), t)
				got := fmt.Sprintf("uploaded %s %d\n", saved.ID, int(saved.Lifetime.Seconds()))
				if err != nil {
					got = describe(t, vendors.Answer{}, err)
				}
				if want := read(t, b.spec, "upload/"+name+".want"); got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
			})
		}
	})
}

// A refusal is an error with the code's own row. None may blame a token, since
// none was sent.
func TestEveryResponseRowCanRefuseASave(t *testing.T) {
	eachSaver(t, func(t *testing.T, b *bench) {
		envelope := b.fill(read(t, b.spec, "envelope.txt"))
		for _, row := range rows(b.spec, classify.Response) {
			code := strings.TrimPrefix(row.Code, saveCode)
			b.answer(strings.ReplaceAll(envelope, "%CODE%", code))
			_, err := b.save(t.Context(), t)
			e := vendorError(t, err)
			want := "response/" + code
			if _, own := b.spec.Codes.Lookup(classify.Response, saveCode+code); own {
				want = "response/" + saveCode + code
			}
			if row.Class == classify.Success {
				want = "transport/malformed" // the envelope names no message
			}
			if e.Code.String() != want {
				t.Errorf("code %s is %s, want %s", code, e.Code, want)
			}
			got, _ := b.spec.Codes.Lookup(e.Code.Level, e.Code.Code)
			if got.Class == classify.Success || got.Class == classify.TokenInvalid || got.Action != classify.NoAction {
				t.Errorf("%s is %s: a save says nothing of tokens", e.Code, got.Class)
			}
		}
	})
}

func TestASavedMessageThatIsGoneIsSaidToBe(t *testing.T) {
	eachSaver(t, func(t *testing.T, b *bench) {
		r := b.toSave(t, "message")
		r.UploadID = testSaved
		want := map[string]bool{"answers/success": false, "answers/unknown-code": false}
		for _, name := range fixtures(t, b.spec, "upload", ".http") {
			if strings.HasPrefix(name, "gone") {
				want["upload/"+name] = true
			}
		}
		for name, gone := range want {
			b.answer(b.fill(read(t, b.spec, name+".http")))
			answer, err := b.vendor.Send(t.Context(), r)
			if err != nil || answer.UploadGone != gone {
				t.Errorf("%s: got SavedGone %v (%v), want %v", name, answer.UploadGone, err, gone)
			}
		}
		if len(want) < 3 {
			t.Error("save has no gone*.http")
		}
	})
}

func TestASendWithoutItsSavedMessageSendsNothing(t *testing.T) {
	eachSaver(t, func(t *testing.T, b *bench) {
		_, err := b.vendor.Send(t.Context(), b.toSave(t, "message"))
		if got, want := describe(t, vendors.Answer{}, err), "error transport/dial\n"; got != want {
			t.Errorf("got %swant %s", got, want)
		}
		if n := b.requests.Load(); n != 0 {
			t.Errorf("got %d requests, want none", n)
		}
	})
}

// A message that is saved in place of a lost one must not be taken for it.
func TestSavingAnewIsAnotherRequest(t *testing.T) {
	eachSaver(t, func(t *testing.T, b *bench) {
		b.answer(b.fill(read(t, b.spec, "upload/uploaded.http")))
		bodyFor := func(saved string) string {
			r := b.toSave(t, "message")
			r.UploadID = saved
			if _, err := b.vendor.(vendors.Uploader).Upload(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			_, body := b.received()
			return string(body)
		}
		first, again, anew := bodyFor(""), bodyFor(""), bodyFor(testSaved)
		if first != again {
			t.Error("saving a message again is another request, want the same")
		}
		if first == anew || anew != bodyFor(testSaved) {
			t.Error("saving in place of a lost message is the same request as the first, or never the same")
		}
	})
}

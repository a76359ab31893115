package vendortest

import (
	"context"
	"fmt"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// uploader opens the adapter if it is an Uploader.
func (s *suite) uploader() (*bench, vendors.Uploader, bool) {
	s.Helper()
	b := s.bench()
	u, ok := b.vendor.(vendors.Uploader)
	return b, u, ok
}

// toUpload returns a request whose message has to be uploaded.
func (b *bench) toUpload(name string) *vendors.Request {
	b.Helper()
	r := b.request()
	r.Message = b.message("upload/" + name + ".json")
	r.TTL = ttlOf(r.Message)
	r.UploadID = ""
	if !b.vendor.(vendors.Uploader).NeedsUpload(r) {
		b.Fatalf("upload/%s.json is a message that needs no upload", name)
	}
	return r
}

// upload uploads the usual message, and reports a token in the request.
func (b *bench) upload(ctx context.Context) (uploaded vendors.Uploaded, err error) {
	b.Helper()
	r := b.toUpload("message")
	b.once("Upload", func() { uploaded, err = b.vendor.(vendors.Uploader).Upload(ctx, r) })
	_, body := b.received()
	for i, token := range b.tokens {
		if strings.Contains(string(body), token) {
			b.Errorf("token %d is in the request that uploads", i)
		}
	}
	b.noLeak(vendors.Answer{}, err)
	return uploaded, err
}

func uploads(s *suite) {
	if _, _, ok := s.uploader(); !ok {
		return
	}
	for _, name := range s.names("upload", ".http") {
		if strings.HasPrefix(name, "gone") {
			continue // an answer to a send
		}
		s := s.about("upload/%s", name)
		b := s.bench()
		b.answer(b.fill(s.read("upload/" + name + ".http")))
		uploaded, err := b.upload(s.Context())
		got := fmt.Sprintf("uploaded %s %d\n", uploaded.ID, int(uploaded.Lifetime.Seconds()))
		if err != nil {
			got = s.describe(vendors.Answer{}, err)
		}
		s.golden("upload/"+name+".want", got)
	}
}

func uploadRequests(s *suite) {
	b, u, ok := s.uploader()
	if !ok {
		return
	}
	b.answer(b.fill(s.read("upload/uploaded.http")))
	for _, name := range s.names("upload", ".json") {
		if _, err := u.Upload(s.Context(), b.toUpload(name)); err != nil {
			s.Fatalf("upload/%s: %v", name, err)
		}
		b.goldenRequest("upload/" + name + ".golden")
	}
}

// refusedUploads answers an upload with every code. A refusal is an error with the
// code's own row. No row may make a token invalid, since an upload has no tokens.
func refusedUploads(s *suite) {
	b, _, ok := s.uploader()
	if !ok {
		return
	}
	envelope := b.fill(s.read("envelope.txt"))
	for _, row := range s.rows(classify.Response) {
		code := strings.TrimPrefix(row.Code, vendors.UploadPrefix)
		s := s.about("code %s", code)
		b.answer(strings.ReplaceAll(envelope, "%CODE%", code))
		_, err := b.upload(s.Context())
		if err == nil {
			s.Errorf("the upload succeeds, though the answer names no message")
			continue
		}
		e := s.vendorError(err)
		want := "response/" + code
		if _, own := s.spec.Codes.Lookup(classify.Response, vendors.UploadPrefix+code); own {
			want = "response/" + vendors.UploadPrefix + code
		}
		if row.Class == classify.Success {
			want = "transport/malformed" // the envelope names no message
		}
		if e.Code.String() != want {
			s.Errorf("got %s, want %s", e.Code, want)
		}
		if got := s.row(e.Code); got.Class == classify.Success || got.Class == classify.TokenInvalid || got.Action != classify.NoAction {
			s.Errorf("%s is %s, but an upload says nothing about tokens", e.Code, got.Class)
		}
	}
}

func goneUploads(s *suite) {
	b, u, ok := s.uploader()
	if !ok {
		return
	}
	r := b.toUpload("message")
	r.UploadID = testUpload
	want := map[string]bool{"answers/success": false, "answers/unknown-code": false}
	for _, name := range s.names("upload", ".http") {
		if strings.HasPrefix(name, "gone") {
			want["upload/"+name] = true
		}
	}
	for name, gone := range want {
		b.answer(b.fill(s.read(name + ".http")))
		answer, err := u.(vendors.Vendor).Send(s.Context(), r)
		if err != nil || answer.UploadGone != gone {
			s.Errorf("%s: got UploadGone %v (%v), want %v", name, answer.UploadGone, err, gone)
		}
	}
	if len(want) < 3 {
		s.Errorf("upload/ has no gone*.http")
	}
}

func missingUploads(s *suite) {
	b, _, ok := s.uploader()
	if !ok {
		return
	}
	_, err := b.vendor.Send(s.Context(), b.toUpload("message"))
	if got, want := s.describe(vendors.Answer{}, err), "error transport/dial\n"; got != want {
		s.Errorf("got %swant %s", got, want)
	}
	if n := b.requests.Load(); n != 0 {
		s.Errorf("got %d requests, want none", n)
	}
}

// newUploads uploads a message in place of a lost one. The new upload must differ
// from the first, so that the vendor does not treat it as a duplicate.
func newUploads(s *suite) {
	b, u, ok := s.uploader()
	if !ok {
		return
	}
	b.answer(b.fill(s.read("upload/uploaded.http")))
	bodyFor := func(id string) string {
		r := b.toUpload("message")
		r.UploadID = id
		if _, err := u.Upload(s.Context(), r); err != nil {
			s.Fatalf("%v", err)
		}
		_, body := b.received()
		return string(body)
	}
	first, again, replacing := bodyFor(""), bodyFor(""), bodyFor(testUpload)
	if first != again {
		s.Errorf("uploading a message again is another request, want the same")
	}
	if first == replacing || replacing != bodyFor(testUpload) {
		s.Errorf("an upload in place of a lost message is the first request again, or a different one every time")
	}
}

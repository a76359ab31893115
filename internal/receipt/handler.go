package receipt

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/logging"
	"github.com/postrider/postrider/internal/secret"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// maxBody is the longest call that is read, in bytes. Huawei sends 100
	// receipts at once, and used to send 1,000.
	maxBody = 4 << 20
	// bodyTime is how long a caller may take to send it.
	bodyTime = 10 * time.Second
	// keepTime bounds the write to Redis: Tencent expects its answer within 2 s.
	keepTime = 1500 * time.Millisecond
)

// The reasons for which a call with receipts is refused.
const (
	unproven   = "unproven"
	unreadable = "unreadable"
	tooLong    = "too-long"
	notKept    = "not-kept" // Redis is not reachable; the vendor may send it again
)

// sayAgain is how often refused calls of an app at a vendor are logged: anybody can send
// calls without proof.
const sayAgain = 10 * time.Second

// Handler answers /receipts/{app}/{vendor} and /receipts/{app}/{vendor}/{secret}:
// 404 if no receipts are taken, 403 without proof, 400 for what cannot be read, 503
// while Redis is not reachable, and else the vendor's own kind of 200 once the receipts
// are stored. No answer says why; a counter does, and from time to time a log line for
// each app and vendor. It is safe for concurrent use.
type Handler struct {
	Config

	hush logging.Hush
}

// NewHandler returns a Handler.
func NewHandler(c Config) *Handler {
	return &Handler{Config: c, hush: logging.Hush{Again: sayAgain, Now: c.Now}}
}

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := h.Find(r.PathValue("app"), r.PathValue("vendor"))
	if !ok || a.Secret == "" || a.Spec.Receipts == nil {
		refuse(w, http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	c, status := h.call(w, r, a)
	if status == 0 {
		status = h.take(r, a, c)
	}
	if status != http.StatusOK {
		refuse(w, status)
		return
	}
	w.Header().Set("Content-Type", a.Spec.Receipts.ContentType)
	_, _ = io.WriteString(w, a.Spec.Receipts.Reply)
}

// call reads the whole request; a status other than 0 refuses it.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, a *Account) (*vendors.ReceiptCall, int) {
	now := h.now()
	// Not every ResponseWriter has deadlines; the server's own does.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		h.refused(a, tooLong, err)
		return nil, http.StatusRequestEntityTooLarge
	case err != nil:
		h.refused(a, unreadable, err)
		return nil, http.StatusBadRequest
	}
	return &vendors.ReceiptCall{
		Header: r.Header, Query: r.URL.Query(), Body: body, Settings: a.Settings, User: a.User, Key: a.Key, Now: now,
	}, 0
}

// take checks the proof, reads the receipts and stores them. It returns the status.
func (h *Handler) take(r *http.Request, a *Account, c *vendors.ReceiptCall) int {
	how := a.Spec.Receipts
	signed := how.Verify != nil && how.Verify(c)
	if !signed && !secret.Equal(r.PathValue("secret"), a.Secret.Reveal()) || how.Ours != nil && !how.Ours(c) {
		h.refused(a, unproven, nil)
		return http.StatusForbidden
	}
	all, err := how.Read(c)
	if err != nil {
		h.refused(a, unreadable, err)
		return http.StatusBadRequest
	}
	ctx, cancel := context.WithTimeout(r.Context(), keepTime)
	defer cancel()
	if err := h.Store.Put(ctx, a.App, a.Spec.Name, all, c.Now); err != nil {
		h.refused(a, notKept, err)
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// refused counts a call that was refused, and logs it unless one of the kind was logged a
// moment ago. left_out is how many were not logged since then.
func (h *Handler) refused(a *Account, reason string, err error) {
	h.Meter.Refused(a.Spec.Name, reason)
	left, ok := h.hush.Say(a.App + ":" + a.Spec.Name + ":" + reason)
	if !ok {
		return
	}
	level, text := zerolog.WarnLevel, "a call with receipts has no valid proof and was refused"
	switch reason {
	case unreadable:
		text = "a call with receipts cannot be read and was refused"
	case tooLong:
		text = "a call with receipts is too long and was refused"
	case notKept:
		level, text = zerolog.ErrorLevel, "receipts could not be stored: the vendor may send them again"
	}
	e := h.Log.WithLevel(level).Err(err).Str("app", a.App).Str("vendor", a.Spec.Name)
	if left > 0 {
		e = e.Int("left_out", left)
	}
	e.Msg(text)
}

func refuse(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }

package receipt

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/logging"
	"github.com/postrider/postrider/internal/secret"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// maxBody is the longest request that is read, in bytes. Huawei sends 100
	// receipts at once, and used to send 1,000.
	maxBody = 4 << 20
	// bodyTimeout is how long a vendor may take to send the request.
	bodyTimeout = 10 * time.Second
	// storeTimeout bounds the write to Redis: Tencent requires the answer within 2 s.
	storeTimeout = 1500 * time.Millisecond
)

// The reasons for which a call with receipts is refused.
const (
	unauthenticated = "unproven"
	unreadable      = "unreadable"
	tooLong         = "too-long"
	notStored       = "not-kept" // Redis cannot be reached; the vendor may send it again
)

// logInterval is the shortest time between two log lines about refused calls of one
// account: anyone can send calls without authentication.
const logInterval = 10 * time.Second

// Handler answers /receipts/{app}/{vendor} and /receipts/{app}/{vendor}/{secret}:
// 404 if the account accepts no receipts, 403 without authentication, 400 for an
// unreadable body, 503 if Redis cannot be reached, and otherwise 200 in the form
// that the vendor requires, after the receipts were stored. No answer gives a
// reason; a counter and a rate-limited log line for each account do. It is safe for
// concurrent use.
type Handler struct {
	Config

	limiter logging.Limiter
}

// NewHandler returns a Handler.
func NewHandler(c Config) *Handler {
	return &Handler{Config: c, limiter: logging.Limiter{Interval: logInterval, Now: c.Now}}
}

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := h.Find(r.PathValue("app"), r.PathValue("vendor"))
	if !ok || !a.TakesReceipts() {
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
		status = h.accept(r, a, c)
	}
	if status != http.StatusOK {
		refuse(w, status)
		return
	}
	w.Header().Set("Content-Type", a.Spec.Receipts.ContentType)
	_, _ = io.WriteString(w, a.Spec.Receipts.Reply)
}

// call reads the request; a status other than 0 refuses it.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, a *account.Account) (*vendors.ReceiptCall, int) {
	now := h.now()
	// Only the server's own ResponseWriter supports deadlines.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
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
		Header: r.Header, Query: r.URL.Query(), Body: body, Settings: a.Settings, User: a.Receipts.User, Key: a.Receipts.HMACKey(), Now: now,
	}, 0
}

// accept authenticates the call, reads the receipts and stores them. It returns the status.
func (h *Handler) accept(r *http.Request, a *account.Account, c *vendors.ReceiptCall) int {
	how := a.Spec.Receipts
	signed := how.Verify != nil && how.Verify(c)
	if !signed && !secret.Equal(r.PathValue("secret"), a.Receipts.Secret.Reveal()) || how.Ours != nil && !how.Ours(c) {
		h.refused(a, unauthenticated, nil)
		return http.StatusForbidden
	}
	all, err := how.Read(c)
	if err != nil {
		h.refused(a, unreadable, err)
		return http.StatusBadRequest
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	if err := h.Store.Put(ctx, a.App, a.Spec.Name, all, c.Now); err != nil {
		h.refused(a, notStored, err)
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// refused counts a refused call, and logs it if no such call was logged recently.
// left_out is how many were not logged since then.
func (h *Handler) refused(a *account.Account, reason string, err error) {
	h.Meter.Refused(a.Spec.Name, reason)
	omitted, ok := h.limiter.Allow(a.App + ":" + a.Spec.Name + ":" + reason)
	if !ok {
		return
	}
	level, text := zerolog.WarnLevel, "refused a call with receipts: neither signature nor secret is valid"
	switch reason {
	case unreadable:
		text = "refused a call with receipts: it cannot be read"
	case tooLong:
		text = "refused a call with receipts: it is too long"
	case notStored:
		level, text = zerolog.ErrorLevel, "store receipts: the vendor got an error and may send them again"
	}
	e := h.Log.WithLevel(level).Err(err).Str("app", a.App).Str("vendor", a.Spec.Name)
	if omitted > 0 {
		e = e.Int("left_out", omitted)
	}
	e.Msg(text)
}

func refuse(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }

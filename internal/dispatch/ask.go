package dispatch

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// ask makes the request. If the vendor refuses the access token, of the request or
// of the upload before it, that call is made once more with a new one. It returns
// nil if the request was put back.
func (d *Dispatcher) ask(ctx context.Context, r *request, calls []*vendors.Request) *answer {
	var ans *answer
	holder := accesstoken.Holder{App: r.App, Vendor: r.Spec.Name, Granter: r.Granter(), Fingerprint: r.Fingerprint}
	err := accesstoken.Use(ctx, d.Access, holder, func(access string) (refused bool) {
		for _, c := range calls {
			c.Access = access
		}
		ans = d.exchange(ctx, r, calls)
		return ans != nil && ans.all.RefusesAccess()
	})
	switch {
	case errors.Is(err, accesstoken.ErrRefused):
		return ans.complete(r, retry.AccessRefused)
	case err != nil:
		return d.noAccess(ctx, r, err)
	}
	return ans
}

// noAccess is the answer if no access token could be had.
func (d *Dispatcher) noAccess(ctx context.Context, r *request, err error) *answer {
	switch {
	case ctx.Err() != nil:
		return d.givenUp(r, retry.Unprepared)
	case !vendorsDoing(err):
		return d.lookUpError(r, err, retry.Unprepared, time.Time{})
	}
	return d.lookUpError(r, err, retry.GrantRefused, time.Time{})
}

// vendorsDoing reports whether an error came from the vendor. Else Redis is away, or
// the worker stops.
func vendorsDoing(err error) bool {
	_, ok := errors.AsType[*vendors.Error](err)
	return ok
}

// exchange makes the request with the access token that calls have, after an
// upload if the vendor wants one. A message that the vendor has lost is uploaded
// once more. It returns nil if the request was put back.
func (d *Dispatcher) exchange(ctx context.Context, r *request, calls []*vendors.Request) *answer {
	for again := false; ; again = true {
		for _, c := range calls {
			c.Now = d.Now() // what is signed with a time is signed again
		}
		if failed := d.upload(ctx, r, calls); failed != nil {
			return failed
		}
		if !d.prepare(ctx, r) || !d.recheck(ctx, r) {
			return nil
		}
		done := d.noteSent(ctx, r)
		ans, uploadLost := d.call(ctx, r, calls)
		done()
		if !uploadLost || again {
			return ans
		}
		if err := d.Uploaded.Forget(ctx, uploadOf(r, calls[0]), calls[0].UploadID); err != nil {
			d.Log.Error().Err(err).Str("app", r.App).Str("vendor", r.Spec.Name).Msg("an uploaded message that the vendor has lost cannot be forgotten")
			return ans
		}
	}
}

// upload makes the message known to a vendor that wants that before the request.
// It returns an answer if it failed.
func (d *Dispatcher) upload(ctx context.Context, r *request, calls []*vendors.Request) (failed *answer) {
	first := calls[0]
	u, ok := r.Vendor.(vendors.Uploader)
	if !ok || len(calls) > 1 || !u.NeedsUpload(first) {
		return nil
	}
	id, err := d.Uploaded.ID(ctx, uploadOf(r, first), func(ctx context.Context) (vendors.Uploaded, error) { return u.Upload(ctx, first) })
	switch {
	case err == nil:
		first.UploadID = id
		return nil
	case ctx.Err() != nil:
		return d.givenUp(r, retry.Unprepared)
	case !vendorsDoing(err):
		return d.lookUpError(r, err, retry.Unprepared, time.Time{})
	}
	failed = d.lookUpError(r, err, retry.NotSent, time.Time{})
	d.Meter.Request(r.Account, failed.all.Row, 0, 0)
	return failed
}

func uploadOf(r *request, c *vendors.Request) upload.Message {
	return upload.Message{App: r.App, Vendor: r.Spec.Name, Key: c.Key}
}

// call makes the vendor's request and looks the answer up. uploadLost: the vendor
// has no longer the message that was uploaded for it.
func (d *Dispatcher) call(ctx context.Context, r *request, calls []*vendors.Request) (_ *answer, uploadLost bool) {
	limited, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	asked, start := d.Now(), time.Now()
	got, err := d.callAdapter(limited, r, calls)
	took := time.Since(start)
	if err != nil && ctx.Err() != nil {
		return d.givenUp(r, stageOf(err, retry.Unprepared, retry.Abandoned)), false
	}
	var ans *answer
	if err != nil {
		ans = d.lookUpError(r, err, stageOf(err, retry.NotSent, retry.Answered), asked)
	} else {
		ans = d.lookUp(r, got.Consistent(r.Codes), asked)
	}
	d.Meter.Request(r.Account, ans.all.Row, r.batches.Count(), took)
	return ans, err == nil && got.UploadGone
}

// stageOf is unsent if the error says that not one byte of the request was
// written, else sent.
func stageOf(err error, unsent, sent retry.Stage) retry.Stage {
	if v, ok := errors.AsType[*vendors.Error](err); ok && v.Unsent {
		return unsent
	}
	return sent
}

// errPanic says no more than that: what an adapter panics with may contain tokens.
var errPanic = errors.New("the vendor's adapter panicked")

// callAdapter makes the request. If the adapter panics, its own tokens are charged
// an attempt; nobody else would recover where a task's requests run in goroutines.
func (d *Dispatcher) callAdapter(ctx context.Context, r *request, calls []*vendors.Request) (_ vendors.Answer, err error) {
	defer func() {
		if recover() != nil {
			d.Log.Error().Str("vendor", r.Spec.Name).Bytes("stack", debug.Stack()).Err(errPanic).Msg("send")
			err = errPanic
		}
	}()
	if len(calls) > 1 {
		return r.Vendor.(vendors.MixedSender).SendMixed(ctx, calls)
	}
	return r.Vendor.Send(ctx, calls[0])
}

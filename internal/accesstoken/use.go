package accesstoken

import (
	"context"
	"errors"

	"github.com/postrider/postrider/pkg/vendors"
)

// Source hands out access tokens; a Store is one.
type Source interface {
	Access(ctx context.Context, app, vendor string, g vendors.Granter, fingerprint string) (string, error)
	Invalidate(ctx context.Context, app, vendor, access string) error
}

// Holder is an app at a vendor that makes calls.
type Holder struct {
	App, Vendor string
	Granter     vendors.Granter // nil: its calls carry no access token
	Fingerprint string          // of the credentials
}

// ErrRefused says that the vendor refuses the holder's access tokens, a new one
// included, or that there is no other than the one that it refused.
var ErrRefused = errors.New("the vendor refuses the access token, and a new one too")

// Use makes any call to the vendor with the holder's access token. call reports whether
// the vendor refused the token: then the token is invalidated, and the call is made once
// more with a new one. Errors other than ErrRefused are the Source's: no call was made,
// or the token of the one that was made was refused.
func Use(ctx context.Context, src Source, h Holder, call func(access string) (refused bool)) error {
	if h.Granter == nil {
		if call("") {
			return ErrRefused
		}
		return nil
	}
	old := ""
	for range 2 {
		access, err := src.Access(ctx, h.App, h.Vendor, h.Granter, h.Fingerprint)
		if err != nil {
			return err
		}
		if access == old {
			return ErrRefused
		}
		if !call(access) {
			return nil
		}
		if old != "" {
			return ErrRefused
		}
		if err := src.Invalidate(ctx, h.App, h.Vendor, access); err != nil {
			return err
		}
		old = access
	}
	return ErrRefused
}

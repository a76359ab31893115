// Package registry lists the vendors. To add one, add a folder next to this one
// and a line to All.
package registry

import (
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/harmony"
	"github.com/postrider/postrider/pkg/vendors/honor"
	"github.com/postrider/postrider/pkg/vendors/huawei"
	"github.com/postrider/postrider/pkg/vendors/meizu"
	"github.com/postrider/postrider/pkg/vendors/oppo"
	"github.com/postrider/postrider/pkg/vendors/tim"
	"github.com/postrider/postrider/pkg/vendors/vivo"
	"github.com/postrider/postrider/pkg/vendors/xiaomi"
)

// All returns every vendor, in the order in which they are shown.
func All() []vendors.Spec {
	return []vendors.Spec{
		huawei.Spec(),
		harmony.Spec(),
		honor.Spec(),
		oppo.Spec(),
		vivo.Spec(),
		xiaomi.Spec(),
		meizu.Spec(),
		tim.Spec(),
	}
}

// Find returns the vendor with the given name.
func Find(name string) (vendors.Spec, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return vendors.Spec{}, false
}

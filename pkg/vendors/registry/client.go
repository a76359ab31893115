package registry

import (
	"strings"

	"github.com/postrider/postrider/pkg/push"
)

// ForClient returns what a push.Client has to know of every vendor.
func ForClient() []push.Vendor {
	var all []push.Vendor
	for _, s := range All() {
		all = append(all, push.Vendor{Name: s.Name, Batch: s.Batch, MinBatch: s.MinBatch, TestBatch: s.TestBatch, Check: s.Check})
	}
	return all
}

// Names lists the vendors for people.
func Names() string {
	var all []string
	for _, s := range All() {
		all = append(all, s.Name)
	}
	return strings.Join(all, ", ")
}

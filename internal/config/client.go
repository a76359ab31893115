package config

import "github.com/postrider/postrider/pkg/push"

// ForClient returns the apps in the form that a push.Client needs. It is never nil.
func (c *Config) ForClient() map[string]push.App {
	apps := make(map[string]push.App, len(c.Apps))
	for name, a := range c.Apps {
		app := push.App{}
		for vendor, s := range a.Vendors {
			app[vendor] = push.AppVendor{Batch: s.Batch, Delivery: s.Delivery}
		}
		apps[name] = app
	}
	return apps
}

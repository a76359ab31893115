package play

import (
	"maps"
	"slices"
)

// directory finds a vendor's apps by any of their ids.
type directory struct {
	any                         bool
	appIDs, clients, projectIDs map[string]Credential
}

func newDirectory(o Options, vendor string) directory {
	list, ok := o.Credentials[vendor]
	if !ok {
		list = []Credential{DemoCredential()}
	}
	d := directory{any: o.AnyCredentials, appIDs: map[string]Credential{}, clients: map[string]Credential{}, projectIDs: map[string]Credential{}}
	for _, c := range list {
		if c.Client == "" {
			c.Client = c.App
		}
		d.appIDs[c.App] = c
		d.clients[c.Client] = c
		if c.Project != "" {
			d.projectIDs[c.Project] = c
		}
	}
	return d
}

func (d *directory) app(id string) (Credential, bool)     { return d.find(d.appIDs, id) }
func (d *directory) client(id string) (Credential, bool)  { return d.find(d.clients, id) }
func (d *directory) project(id string) (Credential, bool) { return d.find(d.projectIDs, id) }

// find invents an app for every id when any credentials will do.
func (d *directory) find(in map[string]Credential, id string) (Credential, bool) {
	c, ok := in[id]
	if !ok && d.any && id != "" {
		return Credential{App: id, Client: id, Project: id}, true
	}
	return c, ok
}

// bySecret finds an app by its secret, for vendors whose requests name no app.
func (d *directory) bySecret(secret string) (Credential, bool) {
	for _, id := range slices.Sorted(maps.Keys(d.clients)) {
		if cred := d.clients[id]; cred.Secret == secret {
			return cred, true
		}
	}
	return Credential{App: "any"}, d.any
}

// AnyCredentials reports whether any id and secret will do.
func (c *Call) AnyCredentials() bool { return c.player.apps.any }

// AppByID finds an app by the id that sends name.
func (c *Call) AppByID(id string) (Credential, bool) { return c.player.apps.app(id) }

// AppByClient finds an app by the id that asks for access tokens.
func (c *Call) AppByClient(id string) (Credential, bool) { return c.player.apps.client(id) }

// AppByProject finds an app by its project.
func (c *Call) AppByProject(id string) (Credential, bool) { return c.player.apps.project(id) }

// AppBySecret finds an app by its secret.
func (c *Call) AppBySecret(secret string) (Credential, bool) { return c.player.apps.bySecret(secret) }

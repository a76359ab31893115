package simulator

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

// find makes an app up for any id when any will do.
func (d *directory) find(in map[string]Credential, id string) (Credential, bool) {
	c, ok := in[id]
	if !ok && d.any && id != "" {
		return Credential{App: id, Client: id, Project: id}, true
	}
	return c, ok
}

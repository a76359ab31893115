package push

import "time"

// ShowLifeEvery changes how often the client's streams show life.
func (c *Client) ShowLifeEvery(d time.Duration) { c.signEvery = d }

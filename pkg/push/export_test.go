package push

import "time"

// HeartbeatEvery changes how often the client's streams send heartbeats.
func (c *Client) HeartbeatEvery(d time.Duration) { c.heartbeatEvery = d }

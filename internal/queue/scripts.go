package queue

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

//go:embed again.lua
var againSource string

//go:embed remove.lua
var removeSource string

//go:embed states.lua
var statesSource string

//go:embed trimmed.lua
var trimmedSource string

//go:embed turn.lua
var turnSource string

var (
	againScript   = redis.NewScript(againSource)
	removeScript  = redis.NewScript(removeSource)
	statesScript  = redis.NewScript(statesSource)
	trimmedScript = redis.NewScript(trimmedSource)
	turnScript    = redis.NewScript(turnSource)
)

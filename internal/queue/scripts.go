package queue

import (
	"embed"

	"github.com/postrider/postrider/pkg/push/lua"
)

//go:embed *.lua
var scripts embed.FS

var (
	againScript   = lua.Load(scripts, "again.lua")
	backScript    = lua.Load(scripts, "back.lua")
	beatScript    = lua.Load(scripts, "beat.lua")
	claimScript   = lua.Load(scripts, "claim.lua")
	endScript     = lua.Load(scripts, "end.lua")
	forwardScript = lua.Load(scripts, "forward.lua")
	hastenScript  = lua.Load(scripts, "hasten.lua")
	removeScript  = lua.Load(scripts, "remove.lua")
	statesScript  = lua.Load(scripts, "states.lua")
	takeScript    = lua.Load(scripts, "take.lua")
	trimmedScript = lua.Load(scripts, "trimmed.lua")
	turnScript    = lua.Load(scripts, "turn.lua")
)

// guardSource precedes asynq's own scripts: see the file.
//
//go:embed guard.lua
var guardSource string

package ledger

import (
	"embed"

	"github.com/postrider/postrider/pkg/push/lua"
)

//go:embed *.lua
var scripts embed.FS

var (
	settleScript   = lua.Load(scripts, "settle.lua")
	loseScript     = lua.Load(scripts, "lose.lua")
	loseRestScript = lua.Load(scripts, "lose_rest.lua")
	receiptScript  = lua.Load(scripts, "count_receipts.lua")
	listScript     = lua.Load(scripts, "list.lua")
	fenceScript    = lua.Load(scripts, "fence.lua")
	cancelScript   = lua.Load(scripts, "cancel.lua")
	feedScript     = lua.Load(scripts, "feed.lua")
)

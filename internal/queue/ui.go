package queue

import (
	"net/http"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
)

// UI is asynq's web UI. Close releases it.
type UI struct{ *asynqmon.HTTPHandler }

var _ http.Handler = UI{}

// opener is an asynq.RedisConnOpt for any kind of Redis.
type opener func() redis.UniversalClient

// MakeRedisClient opens a client that the UI closes itself.
func (o opener) MakeRedisClient() any { return o() }

var _ asynq.RedisConnOpt = opener(nil)

// NewUI returns asynq's web UI on connections that open makes. Payloads are
// shown as they are: they hold no tokens.
func NewUI(open func() redis.UniversalClient) UI {
	text := func(_ string, b []byte) string { return string(b) }
	return UI{asynqmon.New(asynqmon.Options{
		RootPath:         "/",
		RedisConnOpt:     opener(open),
		PayloadFormatter: asynqmon.PayloadFormatterFunc(text),
		ResultFormatter:  asynqmon.ResultFormatterFunc(text),
	})}
}

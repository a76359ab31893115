package logging

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/pkg/push/text"
)

// New returns a logger that writes lines of at least a level. format is json or
// console; an unknown level is info.
func New(out io.Writer, level, format string) zerolog.Logger {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		l = zerolog.InfoLevel
	}
	if format == "console" {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000"}
	}
	return zerolog.New(out).Level(l).With().Timestamp().Logger()
}

// RedisClient writes the log of the Redis client, which reports every lost or
// failed connection, to Log. Repeated lines are limited.
type RedisClient struct {
	Log zerolog.Logger

	limiter Limiter
}

// Printf is called by the Redis client.
func (c *RedisClient) Printf(_ context.Context, format string, v ...any) {
	omitted, ok := c.limiter.Allow(format)
	if !ok {
		return
	}
	e := c.Log.Warn()
	if omitted > 0 {
		e = e.Int("left_out", omitted)
	}
	e.Msg(text.Line("redis client: " + strings.TrimPrefix(fmt.Sprintf(format, v...), "redis: ")))
}

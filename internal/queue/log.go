package queue

import (
	"fmt"
	"os"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"
)

// logger writes asynq's log through zerolog. asynq tells of its starting and
// stopping as "info", which is a detail here.
type logger struct{ log zerolog.Logger }

func (l logger) Debug(args ...any) { l.log.Trace().Msg(fmt.Sprint(args...)) }
func (l logger) Info(args ...any)  { l.log.Debug().Msg(fmt.Sprint(args...)) }
func (l logger) Warn(args ...any)  { l.log.Debug().Msg(fmt.Sprint(args...)) }
func (l logger) Error(args ...any) { l.log.Error().Msg(fmt.Sprint(args...)) }

func (l logger) Fatal(args ...any) {
	l.log.Error().Msg(fmt.Sprint(args...))
	os.Exit(1)
}

// logLevel keeps asynq from building messages that nobody reads.
func logLevel(l zerolog.Logger) asynq.LogLevel {
	switch {
	case l.GetLevel() <= zerolog.TraceLevel:
		return asynq.DebugLevel
	case l.GetLevel() <= zerolog.DebugLevel:
		return asynq.InfoLevel
	}
	return asynq.ErrorLevel
}

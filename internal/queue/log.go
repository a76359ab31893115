package queue

import (
	"fmt"
	"os"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/hush"
)

// logger writes asynq's log through zerolog. asynq tells of its starting and
// stopping as "info", which is a detail here; and while Redis is away each of
// its parts tells of that every few seconds, in the lanes of every vendor: the
// lanes share a hush.
type logger struct {
	log  zerolog.Logger
	hush *hush.Hush
}

func (l logger) Debug(args ...any) { l.log.Trace().Msg(fmt.Sprint(args...)) }
func (l logger) Info(args ...any)  { l.log.Debug().Msg(fmt.Sprint(args...)) }
func (l logger) Warn(args ...any)  { l.log.Debug().Msg(fmt.Sprint(args...)) }

func (l logger) Error(args ...any) {
	text := fmt.Sprint(args...)
	// What is wrong stands behind the colon, and ids in brackets.
	name, _, _ := strings.Cut(text, ":")
	name, _, _ = strings.Cut(name, "[")
	left, ok := l.hush.Say(name)
	if !ok {
		return
	}
	e := l.log.Error()
	if left > 0 {
		e = e.Int("left_out", left)
	}
	e.Msg(text)
}

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

package queue

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/logging"
)

// logger writes asynq's log through zerolog. asynq logs starting and stopping as
// "info", which is a detail here; and while Redis is not reachable each of its parts
// logs that every few seconds, in the lanes of every vendor: the lanes share the limit
// of repeated lines.
type logger struct {
	log     zerolog.Logger
	trouble *trouble
}

// trouble records whether the lanes of a worker have errors with Redis.
type trouble struct {
	repeated logging.Limiter

	mu    sync.Mutex
	since time.Time // zero: there is none
	last  time.Time
}

// note notes an error.
func (t *trouble) note() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
	if t.since.IsZero() {
		t.since = t.last
	}
}

// over is called when Redis has answered. It logs that once, when there was no error
// for a moment.
func (t *trouble) over(log zerolog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() || time.Since(t.last) < reapEvery/2 {
		return
	}
	log.Info().Str("after", time.Since(t.since).Round(time.Second/10).String()).Msg("Redis answers again: the lanes continue")
	t.since = time.Time{}
}

func (l logger) Debug(args ...any) { l.log.Trace().Msg(fmt.Sprint(args...)) }
func (l logger) Info(args ...any)  { l.log.Debug().Msg(fmt.Sprint(args...)) }
func (l logger) Warn(args ...any)  { l.log.Debug().Msg(fmt.Sprint(args...)) }

func (l logger) Error(args ...any) {
	text := fmt.Sprint(args...)
	if !strings.Contains(text, "panic") { // everything else that asynq calls an error is one of Redis
		l.trouble.note()
	}
	// The cause follows the colon, and ids are in brackets.
	name, _, _ := strings.Cut(text, ":")
	name, _, _ = strings.Cut(name, "[")
	left, ok := l.trouble.repeated.Allow(name)
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

// logLevel keeps asynq from building messages that no one reads.
func logLevel(l zerolog.Logger) asynq.LogLevel {
	switch {
	case l.GetLevel() <= zerolog.TraceLevel:
		return asynq.DebugLevel
	case l.GetLevel() <= zerolog.DebugLevel:
		return asynq.InfoLevel
	}
	return asynq.ErrorLevel
}

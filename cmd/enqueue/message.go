package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/text"
)

// messageFlags describe a message; --message is its file, and the others say
// more or otherwise.
type messageFlags struct {
	flags                       *pflag.FlagSet
	file                        string
	title, body, kind, class    string
	category, channel, collapse string
	image, sound, click         string
	data                        []string
	ttl                         time.Duration
	badge                       int
	test                        bool
}

var messageFlagNames = []string{
	"message", "title", "body", "kind", "class", "category", "channel", "collapse-id", "image", "sound", "click",
	"data", "ttl", "badge", "test",
}

func (f *messageFlags) register(fl *pflag.FlagSet) {
	f.flags = fl
	fl.StringVar(&f.file, "message", "", "file with the message as JSON; the flags below override it")
	fl.StringVar(&f.title, "title", "", "title of the notification")
	fl.StringVar(&f.body, "body", "", "text of the notification")
	fl.StringVar(&f.kind, "kind", "", "notification or data (default notification)")
	fl.StringVar(&f.class, "class", "", "service or marketing (default service)")
	fl.StringVar(&f.category, "category", "", "message category, like ORDER or IM")
	fl.StringVar(&f.channel, "channel", "", "Android notification channel")
	fl.StringVar(&f.collapse, "collapse-id", "", "a later message with the same id replaces this one")
	fl.StringVar(&f.image, "image", "", "https URL of an image")
	fl.StringVar(&f.sound, "sound", "", "sound file of the application")
	fl.StringVar(&f.click, "click", "", "what a tap opens: app, url:URL, intent:URI or activity:NAME")
	fl.StringArrayVar(&f.data, "data", nil, "key=value for the application; may be repeated")
	fl.DurationVar(&f.ttl, "ttl", 0, "how long the vendor may hold the message (default 24h)")
	fl.IntVar(&f.badge, "badge", 0, "number on the application's icon")
	fl.BoolVar(&f.test, "test", false, "a test message, on the vendor's test quota")
}

// message reads the file and lays the flags over it.
func (f *messageFlags) message(ctx context.Context, a *app) (m push.Message, err error) {
	if f.file != "" {
		b, err := a.read(ctx, f.file)
		if err != nil {
			return m, err
		}
		if m, err = push.DecodeMessage(b); err != nil {
			return m, fmt.Errorf("%s: %w", f.file, err)
		}
	}
	over := func(name string, to *string, v string) {
		if f.flags.Changed(name) {
			*to = v
		}
	}
	over("title", &m.Title, f.title)
	over("body", &m.Body, f.body)
	over("kind", (*string)(&m.Kind), f.kind)
	over("class", (*string)(&m.Class), f.class)
	over("category", &m.Category, f.category)
	over("channel", &m.Channel, f.channel)
	over("collapse-id", &m.CollapseID, f.collapse)
	over("image", &m.Image, f.image)
	over("sound", &m.Sound, f.sound)
	if f.flags.Changed("ttl") {
		m.TTL = push.Duration(f.ttl)
	}
	if f.flags.Changed("badge") {
		m.Badge = &f.badge
	}
	if f.flags.Changed("test") {
		m.Test = f.test
	}
	if f.flags.Changed("click") {
		action, target, _ := strings.Cut(f.click, ":")
		m.Click = &push.Click{Action: push.ClickAction(action), Target: target}
	}
	for i, kv := range f.data {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return m, usage(fmt.Errorf("--data number %d, %q, is not key=value", i+1, text.Name(kv)))
		}
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		m.Data[k] = v
	}
	return m, nil
}

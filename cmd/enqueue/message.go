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

// messageFlags describe a message. --message is a file; the other flags add to
// it or override it.
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
	fl.StringVar(&f.file, "message", "", "`FILE` with the message as JSON; other flags override its fields")
	fl.StringVar(&f.title, "title", "", "title `TEXT` of the notification")
	fl.StringVar(&f.body, "body", "", "body `TEXT` of the notification")
	fl.StringVar(&f.kind, "kind", "", "`KIND`: notification or data (default notification)")
	fl.StringVar(&f.class, "class", "", "`CLASS`: service or marketing (default service)")
	fl.StringVar(&f.category, "category", "", "message `CATEGORY`, like ORDER or IM")
	fl.StringVar(&f.channel, "channel", "", "Android notification `CHANNEL`")
	fl.StringVar(&f.collapse, "collapse-id", "", "a later message with the same `ID` replaces this one")
	fl.StringVar(&f.image, "image", "", "https `URL` of an image")
	fl.StringVar(&f.sound, "sound", "", "sound `FILE` inside the application")
	fl.StringVar(&f.click, "click", "", "`ACTION` of a tap: app, url:URL, intent:URI or activity:NAME")
	fl.StringArrayVar(&f.data, "data", nil, "`KEY=VALUE` for the application; may be repeated")
	fl.DurationVar(&f.ttl, "ttl", 0, "how long the vendor keeps trying to deliver the message, a `DURATION` like 2h (default 24h)")
	fl.IntVar(&f.badge, "badge", 0, "badge `NUMBER` on the application's icon")
	fl.BoolVar(&f.test, "test", false, "send a test message, which counts against the vendor's test quota")
}

// message reads the file and applies the flags to it.
func (f *messageFlags) message(ctx context.Context, p *program) (m push.Message, err error) {
	if f.file != "" {
		b, err := p.read(ctx, f.file)
		if err != nil {
			return m, err
		}
		if m, err = push.DecodeMessage(b); err != nil {
			return m, fmt.Errorf("%s: %w", sourceName(f.file), err)
		}
	}
	override := func(name string, to *string, v string) {
		if f.flags.Changed(name) {
			*to = v
		}
	}
	override("title", &m.Title, f.title)
	override("body", &m.Body, f.body)
	override("kind", (*string)(&m.Kind), f.kind)
	override("class", (*string)(&m.Class), f.class)
	override("category", &m.Category, f.category)
	override("channel", &m.Channel, f.channel)
	override("collapse-id", &m.CollapseID, f.collapse)
	override("image", &m.Image, f.image)
	override("sound", &m.Sound, f.sound)
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
			return m, usage(fmt.Errorf("--data number %d: %q is not KEY=VALUE, like order=42", i+1, text.Name(kv)))
		}
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		m.Data[k] = v
	}
	return m, nil
}

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/pkg/push/text"
)

func (p *program) invalid() *cobra.Command {
	var follow bool
	var from string
	c := &cobra.Command{
		Use:   "invalid",
		Short: "Print the feed of invalid tokens",
		Long: `invalid prints the feed of invalid tokens, oldest first. It removes nothing:
applications read the feed with a consumer group and delete handled entries.
Tokens are shortened; --json prints them in full.`,
		Example: `  enqueue invalid --since 24h
  enqueue invalid --follow --json | my-cleaner`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := parseTime("since", from, -1)
			if err != nil {
				return err
			}
			if err := p.connect(); err != nil {
				return err
			}
			return p.runInvalid(cmd.Context(), t, follow)
		},
	}
	c.AddCommand(p.quarantineCommands())
	c.Flags().BoolVar(&follow, "follow", false, "continue to print new entries until interrupted")
	c.Flags().StringVar(&from, "since", "", "only entries after this `TIME`: RFC 3339, or a duration before now like 2h")
	return c
}

func (p *program) runInvalid(ctx context.Context, from time.Time, follow bool) error {
	feed := feed.Feed{Redis: p.rdb}
	if follow {
		return feed.Follow(ctx, from, p.printInvalid)
	}
	return feed.Each(ctx, from, p.printInvalid)
}

// printInvalid prints entries and flushes them, since --follow may be running.
func (p *program) printInvalid(all []feed.Entry) error {
	out := newLines(p.out)
	for _, e := range all {
		if err := p.printToken(out, e); err != nil {
			return err
		}
	}
	return out.flush()
}

func (p *program) printToken(out *lines, e feed.Entry) error {
	if p.json {
		return out.print(e)
	}
	what := e.Action
	if e.Replacement != "" {
		what += " by " + text.Masked(e.Replacement)
	}
	by := "no job"
	if e.Job != "" {
		by = "job " + e.Job
	}
	_, err := text.Fprintf(out.b, "%s  %s %s  %s  %s  %s: %s  (%s)\n", e.At, e.App, e.Vendor, text.Masked(e.Token), what, e.Code, e.Reason, by)
	return err
}

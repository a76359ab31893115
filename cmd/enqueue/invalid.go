package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/pkg/push/text"
)

func (a *app) invalid() *cobra.Command {
	var follow bool
	var from string
	c := &cobra.Command{
		Use:   "invalid",
		Short: "Print the feed of invalid tokens",
		Long: `invalid prints the feed of invalid tokens, the oldest first, and takes nothing
out of it: applications read it with a consumer group and delete what is done.
Tokens are cut short; --json prints them in full.`,
		Example: `  enqueue invalid --since 24h
  enqueue invalid --follow --json | my-cleaner`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := moment("since", from, -1)
			if err != nil {
				return err
			}
			if err := a.connect(); err != nil {
				return err
			}
			return a.runInvalid(cmd.Context(), t, follow)
		},
	}
	c.AddCommand(a.invalidHeld())
	c.Flags().BoolVar(&follow, "follow", false, "go on printing what comes, until interrupted")
	c.Flags().StringVar(&from, "since", "", "only entries after this time: RFC 3339, or a duration before now like 2h")
	return c
}

func (a *app) runInvalid(ctx context.Context, from time.Time, follow bool) error {
	feed := feed.Feed{Redis: a.rdb}
	if follow {
		return feed.Follow(ctx, from, a.tellInvalid)
	}
	return feed.Each(ctx, from, a.tellInvalid)
}

// tellInvalid prints entries and holds nothing back: somebody may follow.
func (a *app) tellInvalid(all []feed.Entry) error {
	out := newLines(a.out)
	for _, e := range all {
		if err := a.tellToken(out, e); err != nil {
			return err
		}
	}
	return out.flush()
}

func (a *app) tellToken(out *lines, e feed.Entry) error {
	if a.json {
		return out.print(e)
	}
	what := e.Action
	if e.Replacement != "" {
		what += " by " + text.Masked(e.Replacement)
	}
	by := "no job's"
	if e.Job != "" {
		by = "job " + e.Job
	}
	_, err := text.Fprintf(out.b, "%s  %s %s  %s  %s  %s: %s  (%s)\n", e.At, e.App, e.Vendor, text.Masked(e.Token), what, e.Code, e.Reason, by)
	return err
}

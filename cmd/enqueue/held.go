package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

func (a *app) invalidHeld() *cobra.Command {
	c := &cobra.Command{
		Use:   "held",
		Short: "List, confirm or discard what the guard holds back",
		Long: `When a vendor suddenly calls nearly every token invalid, which is more often a
wrong app, wrong credentials or the vendor's own fault than the truth, entries of
the feed are held until somebody has looked at them: confirm lets them into the
feed, discard forgets them.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage(errors.New("invalid held: say what to do with them: list, confirm or discard"))
		},
	}
	c.AddCommand(a.heldList(), a.heldMove("confirm", "Let held entries into the feed", "confirmed", (*feed.Quarantine).Confirm,
		`confirm moves held entries into the feed, in their order: applications will
delete the tokens, and postrider sends nothing more to them. It may be
interrupted and run again: each entry enters the feed once. Without a filter it
confirms all.`))
	c.AddCommand(a.heldMove("discard", "Forget held entries", "discarded", (*feed.Quarantine).Discard,
		`discard deletes held entries for good: nobody is told that the tokens are
invalid. The ledgers stay as they are. Without a filter it discards all.`))
	return c
}

// held connects and returns the held entries with the filter that was asked for.
func (a *app) held(f *entryFlags) (*feed.Quarantine, wire.EntryFilter, error) {
	filter, err := f.filter()
	if err == nil {
		err = a.connect()
	}
	if err != nil {
		return nil, filter, err
	}
	return &feed.Quarantine{Redis: a.rdb, Keep: a.cfg.Ledger.Keep}, filter, nil
}

func (a *app) heldList() *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List held entries, the oldest first",
		Long: `list prints a line for each held entry, the oldest first. Tokens are cut short;
--json prints them in full, as the feed would have them.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, filter, err := a.held(&f)
			if err != nil {
				return err
			}
			return h.Each(cmd.Context(), filter, a.tellInvalid)
		},
	}
	f.register(c, "was held")
	return c
}

// heldMove is the command that does one thing with held entries.
func (a *app) heldMove(
	name, short, done string, move func(*feed.Quarantine, context.Context, wire.EntryFilter) (int, error), long string,
) *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use: name, Short: short, Long: long, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, filter, err := a.held(&f)
			if err != nil {
				return err
			}
			n, err := move(h, cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("%w: %d entries were %s before: run it again for the rest", err, n, done)
			}
			if a.json {
				return a.print(map[string]int{"entries": n})
			}
			_, err = text.Fprintf(a.out, "%d entries %s\n", n, done)
			return err
		},
	}
	f.register(c, "was held")
	return c
}

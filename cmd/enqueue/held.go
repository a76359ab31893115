package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

func (p *program) quarantineCommands() *cobra.Command {
	c := &cobra.Command{
		Use:   "held",
		Short: "List, confirm or discard quarantined feed entries",
		Long: `When a vendor suddenly calls nearly every token invalid, the cause is more often
a wrong app, wrong credentials or a fault at the vendor than invalid tokens. The
guard then quarantines the feed entries until an operator decides: confirm moves
them into the feed, discard deletes them.`,
		Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage(errors.New("invalid held: want a subcommand: list, confirm or discard"))
		},
	}
	c.AddCommand(p.heldList(), p.heldMove("confirm", "Move quarantined entries into the feed", "confirmed", (*feed.Quarantine).Confirm,
		`confirm moves quarantined entries into the feed, in their order: applications
will delete the tokens, and postrider no longer sends to them. It may be
interrupted and run again: each entry enters the feed once. Without a filter it
confirms all entries.`))
	c.AddCommand(p.heldMove("discard", "Delete quarantined entries", "discarded", (*feed.Quarantine).Discard,
		`discard deletes quarantined entries permanently: applications never learn that
the vendor called these tokens invalid. The ledgers do not change. Without a
filter it discards all entries.`))
	return c
}

// quarantine connects to Redis and returns the quarantine and the filter of the flags.
func (p *program) quarantine(f *entryFlags) (*feed.Quarantine, wire.EntryFilter, error) {
	filter, err := f.filter()
	if err == nil {
		err = p.connect()
	}
	if err != nil {
		return nil, filter, err
	}
	return &feed.Quarantine{Redis: p.rdb, Keep: p.cfg.Ledger.Keep}, filter, nil
}

func (p *program) heldList() *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List quarantined entries, oldest first",
		Long: `list prints a line for each quarantined entry, oldest first. Tokens are
shortened; --json prints them in full, in the form of feed entries.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, filter, err := p.quarantine(&f)
			if err != nil {
				return err
			}
			return h.Each(cmd.Context(), filter, p.printInvalid)
		},
	}
	f.register(c, "was quarantined")
	return c
}

// heldMove returns the command that confirms or discards entries.
func (p *program) heldMove(
	name, short, done string, move func(*feed.Quarantine, context.Context, wire.EntryFilter) (int, error), long string,
) *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use: name, Short: short, Long: long, Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, filter, err := p.quarantine(&f)
			if err != nil {
				return err
			}
			n, err := move(h, cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("%w: before this error, %d entries were %s: run it again for the rest", err, n, done)
			}
			if p.json {
				return p.print(map[string]int{"entries": n})
			}
			_, err = text.Fprintf(p.out, "%d entries %s\n", n, done)
			return err
		},
	}
	f.register(c, "was quarantined")
	return c
}

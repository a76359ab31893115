package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

func (a *app) dead() *cobra.Command {
	c := &cobra.Command{
		Use:   "dead",
		Short: "List, show, replay, export or purge dead letters",
		Long: `A dead letter is the tokens of one chunk that were given up for one reason, with
all that is needed to send them again.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage(errors.New("dead: say what to do with them: list, show, replay, export or purge"))
		},
	}
	c.AddCommand(a.deadList(), a.deadShow(), a.deadReplay(), a.deadExport(), a.deadPurge())
	return c
}

// letters connects and returns the dead letters with the filter that was asked for.
func (a *app) letters(f *entryFlags) (*deadletter.Store, wire.EntryFilter, error) {
	filter, err := f.filter()
	if err != nil {
		return nil, filter, err
	}
	if err := a.connect(); err != nil {
		return nil, filter, err
	}
	return &deadletter.Store{Redis: a.rdb}, filter, nil
}

func (a *app) deadList() *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the oldest first",
		Long: `list prints a line for each dead letter, the oldest first. Tokens are cut short;
--json prints them in full, newline-separated.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, filter, err := a.letters(&f)
			if err != nil {
				return err
			}
			return a.listDead(cmd.Context(), s, filter)
		},
	}
	f.register(c, "died")
	return c
}

func (a *app) deadShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show everything of one dead letter",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := deadletter.CheckID(args[0]); err != nil {
				return usage(err)
			}
			s, _, err := a.letters(&entryFlags{})
			if err != nil {
				return err
			}
			e, err := s.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.print(whole(&e))
			}
			return a.tellDead(&e)
		},
	}
}

func (a *app) deadReplay() *cobra.Command {
	var f entryFlags
	var expires string
	c := &cobra.Command{
		Use:   "replay",
		Short: "Send the tokens that died once more",
		Long: `replay sends just the tokens that died, as their job had it and under the same
job id: the ledger moves them from dead to pending, and the dead letters go. It
may be interrupted and run again: each token is sent once. Without a filter it
replays all.

A dead letter whose job has expired gets as long to live as the job had, from
now; --expires says otherwise, for all that are replayed.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			until, err := moment("expires", expires, 1)
			if err == nil && expires != "" && !until.After(time.Now()) {
				err = usage(errors.New("--expires: is over already"))
			}
			if err != nil {
				return err
			}
			s, filter, err := a.letters(&f)
			if err != nil {
				return err
			}
			return a.replay(cmd.Context(), s, filter, until)
		},
	}
	f.register(c, "died")
	c.Flags().StringVar(&expires, "expires", "", "nothing is sent after this time: RFC 3339, or a duration from now")
	return c
}

func (a *app) replay(ctx context.Context, s *deadletter.Store, f wire.EntryFilter, expires time.Time) error {
	sum, left, err := s.Replay(ctx, f, expires)
	for _, l := range left {
		text.Fprintf(a.err, "enqueue: dead letter %s of job %s stays: %s\n", l.ID, l.Job, l.Reason)
	}
	if err != nil {
		return fmt.Errorf("%w: %d entries with %d tokens were replayed before: run it again for the rest", err, sum.Entries, sum.Tokens)
	}
	if err := a.tellSum("replayed", sum); err != nil {
		return err
	}
	if len(left) > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (a *app) deadPurge() *cobra.Command {
	var f entryFlags
	var all bool
	c := &cobra.Command{
		Use:   "purge",
		Short: "Delete dead letters for good",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.empty() != all {
				return usage(errors.New("purge: give a filter, or --all alone to delete every dead letter"))
			}
			s, filter, err := a.letters(&f)
			if err != nil {
				return err
			}
			sum, err := s.Purge(cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("%w: %d entries with %d tokens were purged before", err, sum.Entries, sum.Tokens)
			}
			return a.tellSum("purged", sum)
		},
	}
	f.register(c, "died")
	c.Flags().BoolVar(&all, "all", false, "delete every dead letter")
	return c
}

func (a *app) deadExport() *cobra.Command {
	var f entryFlags
	var file string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write dead letters as JSON, one a line, with everything",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, filter, err := a.letters(&f)
			if err != nil {
				return err
			}
			if file == "" {
				_, err := export(cmd.Context(), s, filter, a.out)
				return err
			}
			return a.exportTo(cmd.Context(), s, filter, file)
		},
	}
	f.register(c, "died")
	c.Flags().StringVar(&file, "out", "", "file to write to (default stdout); only its owner may read it")
	return c
}

// exportTo writes a file, and tells what is in it.
func (a *app) exportTo(ctx context.Context, s *deadletter.Store, f wire.EntryFilter, file string) error {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // the user names the file
	if err != nil {
		return usage(err)
	}
	sum, err := export(ctx, s, f, out)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("%s is not complete: %w", file, err)
	}
	return a.tellSum("exported", sum)
}

func export(ctx context.Context, s *deadletter.Store, f wire.EntryFilter, w io.Writer) (deadletter.Sum, error) {
	var sum deadletter.Sum
	out := newLines(w)
	err := s.Each(ctx, f, func(e *deadletter.Entry) error {
		sum.Entries, sum.Tokens = sum.Entries+1, sum.Tokens+e.Count()
		return out.print(whole(e))
	})
	return sum, errors.Join(err, out.flush())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

func (p *program) dead() *cobra.Command {
	c := &cobra.Command{
		Use:   "dead",
		Short: "List, show, replay, export or purge dead letters",
		Long: `A dead letter holds the tokens of one chunk that ended dead for one reason, with
everything that is needed to send them again.`,
		Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage(errors.New("dead: want a subcommand: list, show, replay, export or purge"))
		},
	}
	c.AddCommand(p.deadList(), p.deadShow(), p.deadReplay(), p.deadExport(), p.deadPurge())
	return c
}

// deadLetters connects to Redis and returns the dead letters and the filter of the flags.
func (p *program) deadLetters(f *entryFlags) (*deadletter.Store, wire.EntryFilter, error) {
	filter, err := f.filter()
	if err != nil {
		return nil, filter, err
	}
	if err := p.connect(); err != nil {
		return nil, filter, err
	}
	return &deadletter.Store{Redis: p.rdb}, filter, nil
}

func (p *program) deadList() *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, oldest first",
		Long: `list prints a line for each dead letter, oldest first. Tokens are shortened;
--json prints them in full, newline-separated.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, filter, err := p.deadLetters(&f)
			if err != nil {
				return err
			}
			return p.listDead(cmd.Context(), s, filter)
		},
	}
	f.register(c, "died")
	return c
}

func (p *program) deadShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show all fields of one dead letter",
		Args:  cli.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := deadletter.CheckID(args[0]); err != nil {
				return usage(err)
			}
			s, _, err := p.deadLetters(&entryFlags{})
			if err != nil {
				return err
			}
			e, err := s.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if p.json {
				return p.print(fullDeadLetterOf(&e))
			}
			return p.printDead(&e)
		},
	}
}

func (p *program) deadReplay() *cobra.Command {
	var f entryFlags
	var expires string
	c := &cobra.Command{
		Use:   "replay",
		Short: "Send the tokens of dead letters again",
		Long: `replay enqueues the tokens of dead letters again, with the message, priority and
id of their job: the ledger moves them from dead to pending, and the dead letters
are deleted. It may be interrupted and run again: each token is enqueued once.
Without a filter it replays all dead letters.

If a job has expired, its tokens get a new expiry: as far from now as the job's
expiry was from its start. --expires sets the expiry of all replayed tokens.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			until, err := parseTime("expires", expires, 1)
			if err == nil && expires != "" && !until.After(time.Now()) {
				err = usage(errors.New("--expires: the time is in the past: give a later one, or a duration from now like 2h"))
			}
			if err != nil {
				return err
			}
			s, filter, err := p.deadLetters(&f)
			if err != nil {
				return err
			}
			return p.replay(cmd.Context(), s, filter, until)
		},
	}
	f.register(c, "died")
	c.Flags().StringVar(&expires, "expires", "", "do not send after this `TIME`: RFC 3339, or a duration from now like 2h")
	return c
}

func (p *program) replay(ctx context.Context, s *deadletter.Store, f wire.EntryFilter, expires time.Time) error {
	sum, left, err := s.Replay(ctx, f, expires)
	for _, l := range left {
		text.Fprintf(p.err, "enqueue: dead letter %s of job %s cannot be replayed: %s\n", l.ID, l.Job, l.Reason)
	}
	if err != nil {
		return fmt.Errorf("%w: before this error, %d entries with %d tokens were replayed: run it again for the rest", err, sum.Entries, sum.Tokens)
	}
	if err := p.printSum("replayed", sum); err != nil {
		return err
	}
	if len(left) > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (p *program) deadPurge() *cobra.Command {
	var f entryFlags
	var all bool
	c := &cobra.Command{
		Use:   "purge",
		Short: "Delete dead letters permanently",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.empty() != all {
				return usage(errors.New("dead purge: give a filter, or --all without a filter to delete every dead letter"))
			}
			s, filter, err := p.deadLetters(&f)
			if err != nil {
				return err
			}
			sum, err := s.Purge(cmd.Context(), filter)
			if err != nil {
				return fmt.Errorf("%w: before this error, %d entries with %d tokens were purged: run it again for the rest", err, sum.Entries, sum.Tokens)
			}
			return p.printSum("purged", sum)
		},
	}
	f.register(c, "died")
	c.Flags().BoolVar(&all, "all", false, "delete every dead letter")
	return c
}

func (p *program) deadExport() *cobra.Command {
	var f entryFlags
	var file string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write dead letters with all fields, one JSON object a line",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, filter, err := p.deadLetters(&f)
			if err != nil {
				return err
			}
			if file == "" {
				_, err := export(cmd.Context(), s, filter, p.out)
				return err
			}
			return p.exportTo(cmd.Context(), s, filter, file)
		},
	}
	f.register(c, "died")
	c.Flags().StringVar(&file, "out", "", "`FILE` to write to (default stdout); it is created readable by its owner only")
	return c
}

// exportTo writes a file and prints how many entries it has.
func (p *program) exportTo(ctx context.Context, s *deadletter.Store, f wire.EntryFilter, file string) error {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return usage(err)
	}
	sum, err := export(ctx, s, f, out)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("%s is incomplete: %w", file, err)
	}
	return p.printSum("exported", sum)
}

func export(ctx context.Context, s *deadletter.Store, f wire.EntryFilter, w io.Writer) (deadletter.Sum, error) {
	var sum deadletter.Sum
	out := newLines(w)
	err := s.Each(ctx, f, func(e *deadletter.Entry) error {
		sum.Entries, sum.Tokens = sum.Entries+1, sum.Tokens+e.Count()
		return out.print(fullDeadLetterOf(e))
	})
	return sum, errors.Join(err, out.flush())
}

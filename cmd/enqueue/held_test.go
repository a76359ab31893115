package main

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// quarantine adds an entry to the quarantine stream.
func (d *deployment) quarantine(t *testing.T, vendor, token string) {
	t.Helper()
	if err := d.rdb.XAdd(context.Background(), &redis.XAddArgs{Stream: wire.QuarantineStream, Values: []any{
		"app", "shop", "vendor", vendor, "token", token, "code", vendor + "/response/80300007", "reason", "all tokens are invalid",
		"job", "a", "at", "2026-11-21T09:00:00.000Z", "action", "delete",
	}}).Err(); err != nil {
		t.Error(err)
	}
}

const quarantinedToken = "IQAAAACy0PYwAADzBuyGYnWxWyVbWLd4"

func TestTheListOfTheQuarantineHasFeedEntries(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.quarantine(t, "huawei", quarantinedToken)
	d.quarantine(t, "honor", quarantinedToken)
	got := d.run(t, "", "invalid", "held", "list", "--json", "--vendor", "huawei")
	all := objects(t, got.out)
	if got.code != 0 || got.err != "" || len(all) != 1 || all[0]["token"] != quarantinedToken {
		t.Fatalf("exit %d, %s%s, want one line", got.code, got.err, got.out)
	}
	wantKeys(t, all[0], feedKeys...)
	human := d.run(t, "", "invalid", "held", "list")
	if human.code != 0 || strings.Count(human.out, "IQAA…d4  delete") != 2 || strings.Contains(human.out, quarantinedToken) {
		t.Errorf("exit %d, want two lines with shortened tokens:\n%s", human.code, human.out)
	}
}

func TestConfirmAndDiscardPrintHowMany(t *testing.T) {
	t.Parallel()
	for name, feed := range map[string]int64{"confirm": 3, "discard": 0} {
		d := newDeployment(t)
		for _, vendor := range []string{"huawei", "huawei", "honor", "oppo"} {
			d.quarantine(t, vendor, quarantinedToken)
		}
		for i, want := range []float64{2, 0} {
			out := d.runOK(t, "", "invalid", "held", name, "--code", "huawei/response/80300007", "--json")
			wantKeys(t, out, "entries")
			if out["entries"] != want {
				t.Errorf("%s, time %d: %v entries, want %v", name, i+1, out["entries"], want)
			}
		}
		if got := d.run(t, "", "invalid", "held", name, "--vendor", "honor"); got.code != 0 || got.out != "1 entries "+name+"ed\n" {
			t.Errorf("%s: exit %d, %q", name, got.code, got.out)
		}
		if held, fed := d.rdb.XLen(t.Context(), wire.QuarantineStream).Val(), d.rdb.XLen(t.Context(), wire.InvalidStream).Val(); held != 1 || fed != feed {
			t.Errorf("%s: %d entries in quarantine and %d in the feed, want 1 and %d", name, held, fed, feed)
		}
	}
}

func TestTheQuarantineCommandsRefuseWrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"invalid", "held"}, {"invalid", "held", "forget"}, {"invalid", "held", "list", "x"},
		{"invalid", "held", "confirm", "--vendor", "nokia"}, {"invalid", "held", "discard", "--since", "yesterday"},
	} {
		d := newDeployment(t)
		d.quarantine(t, "huawei", quarantinedToken)
		if got := d.run(t, "", args...); got.code != exitUsage || got.out != "" || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%q: exit %d, %q, want 2 and one line", args, got.code, got.err)
		}
		if d.rdb.XLen(t.Context(), wire.QuarantineStream).Val() != 1 {
			t.Errorf("%q: the quarantined entry was removed", args)
		}
	}
}

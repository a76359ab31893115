package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// feed adds an entry to the feed of invalid tokens.
func (d *deployment) feed(t *testing.T, token, action, replacement string) {
	t.Helper()
	values := []any{
		"app", "shop", "vendor", "huawei", "token", token, "code", "huawei/response/80300007", "reason", "all tokens are invalid",
		"job", "a", "at", "2026-11-21T09:00:00.000Z", "action", action,
	}
	if replacement != "" {
		values = append(values, "replacement", replacement)
	}
	if err := d.rdb.XAdd(context.Background(), &redis.XAddArgs{Stream: wire.InvalidStream, Values: values}).Err(); err != nil {
		t.Error(err)
	}
}

var feedKeys = []string{"id", "app", "vendor", "token", "code", "reason", "job", "at", "action"}

func TestInvalidPrintsTheFeed(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	if got := d.run(t, "", "invalid", "--json"); got.code != 0 || got.out != "" || got.err != "" {
		t.Errorf("an empty feed: exit %d, %s%s", got.code, got.out, got.err)
	}
	const token, other = "IQAAAACy0PYwAADzBuyGYnWxWyVbWLd4", "IQBBBBCy0PYwAADzBuyGYnWxWyVbWLd4"
	d.feed(t, token, "delete", "")
	d.feed(t, token, "replace", other)
	got := d.run(t, "", "invalid", "--json")
	all := objects(t, got.out)
	if got.code != 0 || got.err != "" || len(all) != 2 {
		t.Fatalf("exit %d, %s%s, want two lines", got.code, got.err, got.out)
	}
	wantKeys(t, all[0], feedKeys...)
	wantKeys(t, all[1], append([]string{"replacement"}, feedKeys...)...)
	if all[0]["token"] != token || all[1]["replacement"] != other || all[0]["action"] != "delete" || all[0]["job"] != "a" {
		t.Errorf("got %v", all)
	}
	human := d.run(t, "", "invalid")
	for _, want := range []string{"IQAA…d4  delete  huawei/response/80300007: all tokens are invalid", "replace by IQBB…d4", "shop huawei", "(job a)"} {
		if human.code != 0 || !strings.Contains(human.out, want) {
			t.Errorf("exit %d, want %q in\n%s", human.code, want, human.out)
		}
	}
	if strings.Contains(human.out, token) || strings.Contains(human.out, other) {
		t.Errorf("a token is shown in full:\n%s", human.out)
	}
	if n := d.rdb.XLen(t.Context(), wire.InvalidStream).Val(); n != 2 {
		t.Errorf("%d entries are left, want both", n)
	}
}

func TestInvalidSince(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.InvalidStream, ID: "1000-0", Values: []any{"token", "old"}})
	d.feed(t, "new", "delete", "")
	for since, want := range map[string]int{"1h": 1, "1970-01-01T00:00:01Z": 2, "1970-01-01T00:00:02Z": 1, "2199-01-01T00:00:00Z": 0} {
		got := d.run(t, "", "invalid", "--json", "--since", since)
		if n := len(objects(t, got.out)); got.code != 0 || n != want {
			t.Errorf("since %s: exit %d, %d lines, want %d", since, got.code, n, want)
		}
	}
}

func TestInvalidFollowsUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.feed(t, "t0", "delete", "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"invalid", "--follow", "--json", "--config", d.config}, strings.NewReader(""), w, &errs)
		_ = w.Close()
	}()
	late := time.AfterFunc(20*time.Second, func() { _ = r.CloseWithError(fmt.Errorf("no line within 20 s")) })
	defer late.Stop()
	lines := bufio.NewScanner(r)
	for i := range 4 {
		if i > 0 {
			d.feed(t, fmt.Sprint("t", i), "delete", "")
		}
		if !lines.Scan() {
			t.Fatalf("line %d: %v", i, lines.Err())
		}
		if got := object(t, lines.Text()+"\n"); got["token"] != fmt.Sprint("t", i) {
			t.Errorf("line %d is %v", i, got)
		}
	}
	cancel()
	if code := <-done; code != 0 || errs.Len() > 0 {
		t.Errorf("exit %d, %s, want 0", code, errs.String())
	}
}

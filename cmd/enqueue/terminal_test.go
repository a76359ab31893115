package main

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// hostile has characters that a terminal would act on: colours, a title, a second line.
const hostile = "\x1b[31mred\x1b]0;title\a\u009b31m\x00\u202e\tcolumn\nline"

// Texts from vendors and from Redis are printed without control characters.
func TestNoTerminalControlSequenceIsPrinted(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.runOK(t, csv(3), notification("--targets", "-", "--id", "many")...)
	d.endJob(t, "many", map[string]any{"delivered": 3, "huawei/response/" + hostile: 3, wire.FieldApp: hostile})
	for stream, fields := range map[string][]string{
		wire.InvalidStream:    {"app", "vendor", "token", "code", "reason", "job", "at", "action", "replacement"},
		wire.QuarantineStream: {"app", "vendor", "token", "code", "reason", "job", "at", "action", "replacement"},
		wire.DeadStream:       {"app", "vendor", "job", "code", "reason", "class", "priority", "delivery", "tokens", "message"},
	} {
		var values []any
		for _, f := range fields {
			values = append(values, f, hostile)
		}
		if stream == wire.DeadStream {
			values = append(values, "attempts", 1, "at", 1, "start", 1, "expires", 1)
		}
		if err := d.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	dead := d.rdb.XRange(t.Context(), wire.DeadStream, "-", "+").Val()[0].ID
	for _, args := range [][]string{
		{"status", "many"}, {"status", hostile}, {"cancel", hostile},
		{"invalid"}, {"invalid", "held", "list"},
		{"dead", "list"}, {"dead", "show", dead}, {"dead", "show", hostile}, {"dead", "list", "--vendor", hostile}, {"dead", "list", "--since", hostile},
		{"explain", hostile}, {"explain", "huawei", hostile}, {hostile}, {"send", hostile}, {"send", "--" + hostile}, {"send", "--ttl", hostile},
		notification("--target", hostile), notification("--target", hostile+":huawei"), notification("--target", "huawei:a", "--data", hostile),
		notification("--target", "huawei:a", "--app", hostile), notification("--target", "huawei:a", "--at", hostile),
		notification("--target", "huawei:a", "--click", hostile), notification("--target", "huawei:a", "--category", hostile),
		notification("--targets", hostile), {"send", "--job", hostile}, {"status", "many", "--config", hostile},
	} {
		args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "" })
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, "\x00", "") // an argument cannot contain it
		}
		got := d.run(t, "", args...)
		for _, printed := range []string{got.out, got.err} {
			if i := strings.IndexFunc(printed, controls); i >= 0 {
				t.Errorf("%q prints %q", args, printed[i:])
			}
		}
		if got.out+got.err == "" {
			t.Errorf("%q printed nothing, want some output to check", args)
		}
	}
}

func controls(r rune) bool {
	return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

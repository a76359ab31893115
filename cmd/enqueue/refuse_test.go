package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
)

// longToken looks like a vendor's push token; no output may contain it.
const longToken = "IQAAAACy0ZxVAADqRGJ2cGZ6ZmVkZmQ="

// secret is part of tokens that are refused; no output may contain it.
const secret = "tok-3f9a"

// refusal is an input that is refused.
type refusal struct {
	name  string
	args  []string
	stdin string
	want  string // stderr after "enqueue: "; with a final … only its beginning
}

// checkRefused checks the exit code, that stderr is the one wanted line, that
// stdout is empty or, with --json, one object, and that Redis is empty.
func checkRefused(t *testing.T, all []refusal) {
	t.Helper()
	for _, r := range all {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			got := d.run(t, r.stdin, r.args...)
			if got.code != exitUsage || got.out != "" {
				t.Errorf("exit %d and stdout %q, want 2 and nothing", got.code, got.out)
			}
			if !matches(got.err, r.want) {
				t.Errorf("stderr is\n %swant\n enqueue: %s", got.err, r.want)
			}
			if strings.Contains(got.err, secret) || strings.Contains(got.err, longToken) {
				t.Errorf("stderr holds the token: %s", got.err)
			}
			d.checkEmpty(t)
			asJSON := d.run(t, r.stdin, append([]string{"--json"}, r.args...)...)
			if asJSON.code != exitUsage || asJSON.err != got.err {
				t.Errorf("with --json exit %d and %s, want 2 and the same", asJSON.code, asJSON.err)
			}
			wantKeys(t, object(t, asJSON.out), "job", "error", "field")
			if strings.Contains(asJSON.out, longToken) {
				t.Errorf("stdout holds the token: %s", asJSON.out)
			}
			d.checkEmpty(t)
		})
	}
}

func matches(stderr, want string) bool {
	line, rest, whole := strings.Cut(stderr, "\n")
	if !whole || rest != "" {
		return false
	}
	if head, open := strings.CutSuffix(want, "…"); open {
		return strings.HasPrefix(line, "enqueue: "+head)
	}
	return line == "enqueue: "+want
}

func TestWrongUsageIsRefused(t *testing.T) {
	t.Parallel()
	checkRefused(t, []refusal{
		{"an unknown command", []string{"sent"}, "", `unknown command "sent" for "enqueue": did you mean send?: see enqueue --help`},
		{"an unknown flag", notification("--target", "huawei:a", "--nothing"), "", "unknown flag: --nothing: see enqueue send --help"},
		{"an argument", notification("--target", "huawei:a", "b"), "", `unexpected argument "b": enqueue send takes no arguments: see enqueue send --help`},
		{"a flag that wants a duration", notification("--target", "huawei:a", "--ttl", "tomorrow"), "", `--ttl: "tomorrow" is not a duration like 2h: see enqueue send --help`},
		{"a flag that wants a number", notification("--target", "huawei:a", "--badge", "many"), "", `--badge: "many" is not a whole number: see enqueue send --help`},
		{"a flag that wants yes or no", notification("--target", "huawei:a", "--test=maybe"), "", `--test: "maybe" is not true or false: see enqueue send --help`},
		{"a token for a duration", notification("--target", "huawei:a", "--ttl", longToken), "", `--ttl: "IQAA…Q= (32 characters)" is not a duration like 2h: see enqueue send --help`},
		{"a token for a number", notification("--target", "huawei:a", "--badge", longToken), "", `--badge: "IQAA…Q= (32 characters)" is not a whole number: see enqueue send --help`},
		{"a token for a start", notification("--target", "huawei:a", "--at", longToken), "", `--at: "IQAA…Q= (32 characters)" is not a time: use RFC 3339…`},
		{"a token for an end", notification("--target", "huawei:a", "--expires", longToken), "", `--expires: "IQAA…Q= (32 characters)" is not a time: use RFC 3339…`},
		{"a token for a time of dead letters", []string{"dead", "list", "--since", longToken}, "", `--since: "IQAA…Q= (32 characters)" is not a time: use RFC 3339…`},
		{"a token for a time of invalid tokens", []string{"invalid", "--since", longToken}, "", `--since: "IQAA…Q= (32 characters)" is not a time: use RFC 3339…`},
		{"a token for a time of quarantined entries", []string{"invalid", "held", "list", "--since", longToken}, "", `--since: "IQAA…Q= (32 characters)" is not a time: use RFC 3339…`},
		{"a token for a flag", []string{"send", "--" + longToken}, "", "unknown flag: --IQAA…mQ (31 characters): see enqueue send --help"},
		{"a token for a short flag", []string{"send", "-" + longToken}, "", "unknown flag: -IQAA…"},
		{"a time that does not exist", notification("--target", "huawei:a", "--at", "2026-13-45T25:00:00+08:00"), "", `--at: "2026-13-45T25:00:00+08:00" is not a time: use RFC 3339…`},
		{"a terminal control sequence as time", notification("--target", "huawei:a", "--at", "\x1b[31mnow"), "", `--at: "\\x1b[…w (8 characters)" is not a time: use RFC 3339…`},
		{"a very long value", notification("--target", "huawei:a", "--at", strings.Repeat("noon", 5000)), "", `--at: "noon…on (20000 characters)" is not a time: use RFC 3339…`},
		{"no targets at all", notification(), "", "nothing to send: give --target VENDOR:TOKEN, --targets FILE, --job FILE or --jobs FILE; see enqueue send --help"},
		{"targets of two kinds", notification("--target", "huawei:a", "--targets", "-"), "huawei,b", "--target and --targets do not go together: give one of them"},
		{"a target without a vendor", notification("--target", "huawei:a", "--target", secret), "", "--target number 2 is not VENDOR:TOKEN, like huawei:IQAAAA…"},
		{"a target with an empty vendor", notification("--target", ":"+secret), "", "--target number 1 is not VENDOR:TOKEN, like huawei:IQAAAA…"},
		{"a job and a flag whose value it contains", []string{"send", "--job", "-", "--title", "x"}, "{}", "--title does not go with --job: the job itself contains the value"},
		{"jobs and a flag whose value they contain", []string{"send", "--jobs", "-", "--app", "shop"}, "{}", "--app does not go with --jobs: the job itself contains the value"},
		{"waiting for a stream", []string{"send", "--jobs", "-", "--wait"}, "{}", "--wait waits for one job: it does not go with --jobs"},
		{"no window for duplicates", notification("--target", "huawei:a", "--dedup-window", "0s"), "", "--dedup-window: want a duration longer than 0, like 24h"},
		{"data that is not a pair", notification("--target", "huawei:a", "--data", "order"), "", `--data number 1: "order" is not KEY=VALUE, like order=42`},
		{"a start that is not a time", notification("--target", "huawei:a", "--at", "noon"), "", `--at: "noon" is not a time: use RFC 3339 like 2026-11-21T09:00:00+08:00, or a duration from now like 2h`},
		{"an end that is not a time", notification("--target", "huawei:a", "--expires", "2026-11-21"), "", `--expires: "2026-11-21" is not a time: use RFC 3339…`},
		{"a file of targets that is not there", notification("--targets", "/nowhere/t.csv"), "", "open /nowhere/t.csv: no such file or directory"},
		{"a token in place of a command", []string{longToken}, "", `unknown command "IQAA…Q= (32 characters)" for "enqueue": see enqueue --help`},
		{"a token in place of a flag", []string{"send", "huawei:" + longToken}, "", `unexpected argument "huaw…Q= (39 characters)": enqueue send takes no arguments: see enqueue send --help`},
		{"data that is a token", notification("--target", "huawei:a", "--data", longToken[:31]), "", `--data number 1: "IQAA…mQ (31 characters)" is not KEY=VALUE, like order=42`},
		{"a folder of targets", notification("--targets", "/"), "", "/ is a directory: name a file"},
		{"a folder as job", []string{"send", "--job", "/"}, "", "/ is a directory: name a file"},
		{"a folder as jobs", []string{"send", "--jobs", "/"}, "", "/ is a directory: name a file"},
		{"a folder as message", notification("--target", "huawei:a", "--message", "/"), "", "/ is a directory: name a file"},
		{"a job that is not there", []string{"send", "--job", "/nowhere/job.json"}, "", "open /nowhere/job.json: no such file or directory"},
		{"jobs that are not there", []string{"send", "--jobs", "/nowhere/jobs.json"}, "", "open /nowhere/jobs.json: no such file or directory"},
		{"a message that is not there", notification("--target", "huawei:a", "--message", "/nowhere/m.json"), "", "open /nowhere/m.json: no such file or directory"},
		{"a status without a job", []string{"status"}, "", "an argument is missing: want enqueue status JOB: see enqueue status --help"},
		{"an explanation without a vendor", []string{"explain"}, "", "an argument is missing: want enqueue explain VENDOR [CODE]: see enqueue explain --help"},
	})
}

func TestAJobThatIsWrongIsRefusedWithItsField(t *testing.T) {
	t.Parallel()
	one := func(flags ...string) []string {
		return append([]string{"send", "--app", "shop", "--target", "huawei:" + secret, "--title", "t", "--body", "b"}, flags...)
	}
	checkRefused(t, []refusal{
		{"no app", []string{"send", "--target", "huawei:a", "--title", "t", "--body", "b"}, "", "app: is missing: name the app that the job belongs to"},
		{"an unknown app", one("--app", "shoe"), "", `app: "shoe" is not configured; configured are shop`},
		{"an unknown vendor", one("--target", "nokia:b"), "", "targets.nokia: is not a vendor; vendors are …"},
		{"a misspelt vendor", one("--target", "huawie:b"), "", "targets.huawie: is not a vendor: did you mean huawei?"},
		{"a token before its vendor", one("--target", longToken+":huawei"), "", `targets.IQAA…Q=: is not a vendor, and its token is "huawei": are they swapped? The vendor comes first`},
		{"a user before her vendor", one("--target", "alice:tim"), "", `targets.a…: is not a vendor, and its token is "tim": are they swapped? The vendor comes first`},
		{"a title in GBK", one("--title", "\xb7\xa2\xbb\xf5"), "", "message.title: is not UTF-8"},
		{"data in GBK", one("--data", "k=\xb7\xa2\xbb\xf5"), "", "message.data.k: is not UTF-8"},
		{"a click in GBK", one("--click", "url:https://shop.example/\xb7\xa2"), "", "message.click.target: is not UTF-8…"},
		{"a terminal control sequence", one("--priority", "\x1b[31murgent"), "", `priority: is "\\x1b[3…t (11 characters)", want high, normal, bulk`},
		{"an id with a blank", one("--id", "order 42"), "", "id: may hold printable characters only, no white space and no { or }"},
		{"an id with braces", one("--id", "{42}"), "", "id: may hold printable characters only, no white space and no { or }"},
		{"an id that is too long", one("--id", strings.Repeat("x", 201)), "", "id: has 201 bytes, at most 200"},
		{"an unknown priority", one("--priority", "urgent"), "", `priority: is "urgent", want high, normal, bulk`},
		{"an unknown delivery", one("--delivery", "exactly-once"), "", `delivery: is "exactly-once", want at-least-once, at-most-once`},
		{"an end in the past", one("--expires", "2020-01-01T00:00:00Z"), "", "expires_at: 2020-01-01T00:00:00Z is in the past"},
		{"an end that has just passed", one("--expires", "-1s"), "", "expires_at: …"},
		{"an end before the start", one("--at", "2h", "--expires", "1h"), "", "expires_at: is not after not_before: nothing could ever be sent"},
		{"an unknown kind", one("--kind", "toast"), "", `message.kind: is "toast", want notification, data`},
		{"an unknown class", one("--class", "news"), "", `message.class: is "news", want service, marketing`},
		{"a category in small letters", one("--category", "order"), "", `message.category: is "order", want upper-case letters like ORDER or DEVICE_REMINDER`},
		{"no title", one("--title", " "), "", "message.title: is missing: a notification needs one"},
		{"neither title nor body", one("--title", "", "--body", ""), "", "message.body: is missing: a notification needs one; …"},
		{"a data message without data", one("--kind", "data"), "", "message.data: is missing: a data message needs some"},
		{"a negative ttl", one("--ttl", "-1h"), "", "message.ttl: is negative"},
		{"a negative badge", one("--badge", "-1"), "", "message.badge: is negative: 0 clears the badge…"},
		{"an image without TLS", one("--image", "http://shop.example/i.png"), "", "message.image: is not an https URL…"},
		{"an unknown click", one("--click", "call:110"), "", `message.click.action: is "call", want app, url, intent, activity…`},
		{"a click without a target", one("--click", "url"), "", "message.click.target: is missing: action url needs one…"},
		{"a body over the vendor's limit", one("--body", strings.Repeat("x", 4096)), "", "message.body: is the largest part, with 4096 bytes, of a message that has …"},
		{"two faults at once", one("--app", "shoe", "--priority", "urgent"), "", `app: "shoe" is not configured; configured are shop; priority: is "urgent", want high, normal, bulk`},
	})
}

func TestATokenThatCannotBeSentToIsRefused(t *testing.T) {
	t.Parallel()
	var all []refusal
	for why, token := range map[string]string{
		"is empty":                     "",
		"has 4097 bytes, at most 4096": secret + strings.Repeat("x", 4097-len(secret)),
		"holds white space":            secret + " x",
		"holds a control character":    secret + "\x01",
		"is not UTF-8":                 secret + "\xff",
		"holds ',', which separates tokens at the vendors": secret + ",x",
		"holds ';', which separates tokens at the vendors": secret + ";x",
	} {
		all = append(all, refusal{
			"a token that " + why, notification("--target", "huawei:"+token), "", "targets: no token can be sent to: number 1 for huawei " + why,
		})
	}
	all = append(all,
		refusal{"a file whose tokens are all refused", notification("--targets", "-"), "huawei,\nhuawei," + secret + ";\n", "targets: no token can be sent to: number 1 for huawei is empty"},
		refusal{"an empty file", notification("--targets", "-"), "", "targets: no token can be sent to: none is given"},
		refusal{"a file with only a header", notification("--targets", "-"), "vendor,token\n", "targets: no token can be sent to: none is given"})
	checkRefused(t, all)
}

func TestAFileThatIsWrongIsRefusedWholeWithItsLine(t *testing.T) {
	t.Parallel()
	many := csv(500) // 50 chunks, many of which are in Redis when the fault is found
	z := zipped(many)
	checkRefused(t, []refusal{
		{"a broken line at the end", notification("--targets", "-"), many + secret, "stdin: line 501: is not vendor,token"},
		{"an unknown vendor at the end", notification("--targets", "-"), many + "nokia," + secret, "stdin: line 501: targets.nokia: is not a vendor; vendors are …"},
		{"an unknown vendor with a token that is refused", notification("--targets", "-"), many + "nokia,", "stdin: line 501: targets.nokia: is not a vendor; vendors are …"},
		{"NDJSON with a misspelt key", notification("--targets", "-"), `{"vendor":"huawei","tokn":"` + secret + `"}`, `stdin: line 1: is not {"vendor":…,"token":…}: unknown field "tokn"`},
		{"columns that are swapped", notification("--targets", "-"), many + longToken + ",huawei", `stdin: line 501: targets.IQAA…Q=: is not a vendor, and its token is "huawei": are they swapped? The vendor comes first`},
		{"a header whose columns are swapped", notification("--targets", "-"), "token,vendor\n" + longToken + ",huawei", "stdin: line 1: the columns are swapped: want vendor,token"},
		{"a token as vendor", notification("--targets", "-"), many + longToken + ",x", "stdin: line 501: targets.IQAA…Q= (32 characters): is not a vendor; vendors are …"},
		{"semicolons", notification("--targets", "-"), "huawei;" + longToken, `stdin: line 1: is not vendor,token: its columns are separated by ";", want a comma`},
		{"UTF-16", notification("--targets", "-"), "\xff\xfeh\x00u\x00", "stdin: is UTF-16: save it as UTF-8"},
		{"an Excel file", notification("--targets", "-"), "PK\x03\x04\x14\x00", "stdin: is a zip archive or an Excel file: unpack it, or save the sheet as CSV in UTF-8"},
		{"NDJSON with a token as key", notification("--targets", "-"), `{"` + longToken + `":"huawei"}`, `stdin: line 1: is not {"vendor":…,"token":…}: unknown field "IQAA…Q= (32 characters)"`},
		{"NDJSON with its values swapped", notification("--targets", "-"), `{"vendor":"` + longToken + `","token":"huawei"}`, `stdin: line 1: targets.IQAA…Q=: is not a vendor, and its token is "huawei": are they swapped? The vendor comes first`},
		{"gzip that is truncated", notification("--targets", "-"), z[:len(z)-8], "stdin: line 501: the gzip stream breaks off"},
		{"gzip with a wrong checksum", notification("--targets", "-"), z[:len(z)-8] + "12345678", "stdin: line 501: read: gzip: invalid checksum"},
		{"something that is not gzip", notification("--targets", "-"), "\x1f\x8bnot really", "stdin: read gzip: gzip: invalid header"},
		{"an app that is unknown", []string{"send", "--app", "shoe", "--title", "t", "--body", "b", "--targets", "-"}, many, `app: "shoe" is not configured; configured are shop`},
		{"an end in the past", notification("--targets", "-", "--expires", "2020-01-01T00:00:00Z"), many, "expires_at: 2020-01-01T00:00:00Z is in the past"},
	})
}

func TestAWholeJobThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	job := func(rest string) string {
		return `{"app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":["` + secret + `"]}` + rest
	}
	send := []string{"send", "--job", "-"}
	checkRefused(t, []refusal{
		{"nothing", send, "", "stdin: is empty: want a JSON object"},
		{"a job that is not JSON", send, secret, "stdin: is not JSON: …"},
		{"a job that is truncated", send, job(""), "stdin: is not JSON: it breaks off"},
		{"two jobs", send, job("}") + job("}"), "stdin: something follows the JSON object: …"},
		{"a list of jobs", send, "[" + job("}") + "]", "stdin: is a JSON array, want …"},
		{"a misspelt field", send, job(`,"priorty":"high"}`), "stdin: priorty: is not a field: see docs/job.md for those that are"},
		{"a misspelt field of the message", send, `{"app":"shop","message":{"titel":"t"}}`, "stdin: titel: is not a field: see docs/job.md for those that are"},
		{"a number as app", send, `{"app":1}`, "stdin: app: is a JSON number, want a string"},
		{"a ttl that is not a duration", send, `{"app":"shop","message":{"ttl":"tomorrow"}}`, "stdin: message.ttl: …"},
		{"UTF-16", send, "\xff\xfe{\x00}\x00", "stdin: is UTF-16: save it as UTF-8"},
		{"a title in GBK", send, "{\"app\":\"shop\",\"message\":{\"title\":\"\xb7\xa2\xbb\xf5\"}}", "stdin: message.title: is not UTF-8, it looks like GBK: write UTF-8"},
		{"half an emoji", send, `{"app":"shop","message":{"title":"\ud83d"}}`, `stdin: message.title: holds \ud83d, half of a surrogate pair, …`},
		{"a token as vendor", send, `{"app":"shop","message":{"title":"t","body":"b"},"targets":{"` + longToken + `":["huawei"]}}`, `targets.IQAA…Q=: is not a vendor, and its token is "huawei": …`},
		{"a token as field", send, `{"` + longToken + `":1}`, "stdin: IQAA…Q= (32 characters): is not a field: …"},
		{"a message in GBK", notification("--target", "huawei:a", "--message", "-"), "{\"body\":\"\xb7\xa2\xbb\xf5\"}", "stdin: body: is not UTF-8, it looks like GBK: write UTF-8"},
		{"gzip that is truncated", send, zipped(job("}"))[:30], "stdin: the gzip stream breaks off"},
		{"no targets", send, `{"app":"shop","message":{"title":"t","body":"b"}}`, `targets: are missing: give at least one token, as {"<vendor>": ["<token>"]}`},
		{"targets without a token", send, `{"app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":[]}}`, `targets: are missing: …`},
		{"an unknown vendor and a known one", send, `{"app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":["a"],"nokia":["b"]}}`, "targets.nokia: is not a vendor; vendors are …"},
		{"an end in the past", send, job(`,"expires_at":"2020-01-01T00:00:00Z"}`), "expires_at: 2020-01-01T00:00:00Z is in the past"},
		{"overrides for an unknown vendor", send, `{"app":"shop","message":{"title":"t","body":"b","overrides":{"nokia":{}}},"targets":{"huawei":["a"]}}`, "message.overrides.nokia: is not a vendor; vendors are …"},
		{"overrides that are not an object", send, `{"app":"shop","message":{"title":"t","body":"b","overrides":{"huawei":[1]}},"targets":{"huawei":["a"]}}`, "message.overrides.huawei: …"},
		{"overridden tokens", send, `{"app":"shop","message":{"title":"t","body":"b","overrides":{"huawei":{"token":["x"]}}},"targets":{"huawei":["a"]}}`, "message.overrides.huawei.token: cannot be overridden: …"},
		{"a message with a misspelt field", notification("--target", "huawei:a", "--message", "-"), `{"titel":"t"}`, "stdin: titel: is not a field: see docs/job.md for those that are"},
	})
}

func TestAConfigurationThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, config, want string }{
		{"a missing file", "/nowhere/postrider.yaml", "read configuration: open /nowhere/postrider.yaml: no such file or directory"},
		{"a misspelt key", write(t, "a.yaml", "redsi: {}\n"), "a.yaml:1: redsi: "},
		{"a client id that is missing", write(t, "b.yaml", "apps:\n  shop:\n    huawei: {client_secret: x}\n"), "client_id"},
		{"a password over plain http", write(t, "c.yaml", "apps:\n  shop:\n    huawei: {client_id: \"1\", client_secret: hidden, auth_url: \"http://push.example/token\"}\n"), "plain http is accepted for loopback hosts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{notification("--target", "huawei:a"), {"status", "a"}} {
				got := (&deployment{config: c.config}).run(t, "", args...)
				if got.code != exitUsage || !strings.Contains(got.err, c.want) || strings.Contains(got.err, "hidden") || got.out != "" {
					t.Errorf("%s: exit %d, %s, want 2 and %s", args[0], got.code, got.err, c.want)
				}
			}
		})
	}
}

func TestAnUnreachableRedisIsAFailureAndNotWrongUsage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := &deployment{config: writeConfig(t, "redis://"+server.Addr()+"/0")}
	server.Kill()
	for name, run := range map[string]struct {
		args  []string
		stdin string
	}{
		"send":      {notification("--target", "huawei:a"), ""},
		"send file": {notification("--targets", "-"), csv(200)},
		"send jobs": {[]string{"send", "--jobs", "-"}, `{"app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":["a"]}}`},
		"status":    {[]string{"status", "a"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := d.run(t, run.stdin, run.args...)
			const want = "connection refused (Redis cannot be reached: check that it runs, and redis.url in "
			if got.code != exitFailed || got.out != "" || !strings.Contains(got.err, want) {
				t.Errorf("exit %d, %q, %s, want 1 and %s", got.code, got.out, got.err, want)
			}
		})
	}
}

func TestARefusedRedisLoginIsExplained(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := server.Client(t)
	for _, args := range [][]any{{"ACL", "SETUSER", "poor", "on", ">right", "~*", "+@connection"}, {"ACL", "SETUSER", "default", "off"}} {
		if err := admin.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for login, want := range map[string]string{
		"poor:wrong": "(Redis refuses the login: check user and password in redis.url in ",
		"poor:right": "(the Redis user has too few rights: worker check-config lists the missing ones)",
	} {
		d := &deployment{config: writeConfig(t, "redis://"+login+"@"+server.Addr()+"/0")}
		got := d.run(t, "", "status", "a")
		if got.code != exitFailed || !strings.Contains(got.err, want) || strings.Contains(got.err, "wrong@") {
			t.Errorf("%s: exit %d, %s, want 1 and %s", login, got.code, got.err, want)
		}
	}
}

func TestAfterAFaultTheSameJobCanBeSent(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	args := notification("--targets", "-", "--id", "campaign")
	if got := d.run(t, csv(500)+"broken", args...); got.code != exitUsage {
		t.Fatalf("exit %d, want 2", got.code)
	}
	if got := d.runOK(t, csv(500), args...); got["accepted"] != 500.0 {
		t.Errorf("got %v, want 500 accepted", got)
	}
	if n := len(d.tokens(t, "huawei:normal")); n != 500 {
		t.Errorf("%d tokens wait, want 500", n)
	}
}

func TestHelpExitsWithZero(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"send", "--help"}, {"help", "status"}} {
		var d deployment
		if got := d.run(t, "", args...); got.code != 0 || got.err != "" || !strings.Contains(got.out, "Usage:") {
			t.Errorf("%s: exit %d, %s%s", fmt.Sprint(args), got.code, got.out, got.err)
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestSendPrintsAcceptedAndRefusedTokens(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	got := d.runOK(t, "", notification("--target", "huawei:a", "--target", "huawei:b", "--target", "huawei:a", "--target", "huawei:")...)
	wantKeys(t, got, "job", "accepted", "refused", "chunks")
	if got["job"] == "" || got["accepted"] != 2.0 || got["chunks"] != 1.0 {
		t.Errorf("got %v, want a job with 2 tokens in 1 chunk", got)
	}
	list, ok := got["refused"].([]any)
	if !ok || len(list) != 1 {
		t.Fatalf("refused is %v, want one entry", got["refused"])
	}
	entry := list[0].(map[string]any)
	wantKeys(t, entry, "position", "vendor", "reason")
	if entry["position"] != 4.0 || entry["vendor"] != "huawei" || entry["reason"] != "is empty" {
		t.Errorf("refused is %v, want number 4 for huawei", entry)
	}
	if got := d.tokens(t, "huawei:normal"); len(got) != 2 || got["a"] != 1 || got["b"] != 1 {
		t.Errorf("the lane has tokens %v, want a and b once", got)
	}
}

func TestSendPrintsAHumanReadableResult(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	got := d.run(t, "huawei,a\n"+strings.Repeat("huawei,\n", 12), notification("--targets", "-", "--id", "campaign")...)
	for _, want := range []string{
		"job campaign: 1 tokens accepted in 1 chunks, 12 refused\n", "  refused: number 2 (huawei) is empty\n", "  … and 2 more: --json lists all of them\n",
	} {
		if got.code != 0 || !strings.Contains(got.out, want) {
			t.Errorf("exit %d, %s, want 0 and %s", got.code, got.out, want)
		}
	}
	if got.err != "" {
		t.Errorf("stderr is %s, want nothing", got.err)
	}
}

func TestSendReadsTargetsOfEveryForm(t *testing.T) {
	t.Parallel()
	const plain = "vendor,token\nhuawei,a\n\nhuawei,b\nhuawei,a\nhuawei,bad;token\n"
	const objects = `{"vendor":"huawei","token":"a"}` + "\n\n" + `{"vendor":"huawei","token":"b"}` + "\n" +
		`{"vendor":"huawei","token":"b"}` + "\n" + `{"vendor":"huawei","token":"bad;token"}` + "\n"
	for name, c := range map[string]struct {
		text  string
		line  float64
		stdin bool
	}{
		"CSV":                      {plain, 6, false},
		"CSV in gzip":              {zipped(plain), 6, false},
		"CSV of Windows":           {"\ufeff" + strings.ReplaceAll(plain, "\n", "\r\n"), 6, false},
		"CSV in gzip from stdin":   {zipped(plain), 6, true},
		"NDJSON":                   {objects, 5, false},
		"NDJSON in gzip":           {zipped(objects), 5, false},
		"NDJSON from stdin":        {objects, 5, true},
		"NDJSON after a blank one": {"\n" + objects, 6, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			file, stdin := "-", c.text
			if !c.stdin {
				file, stdin = write(t, "targets", c.text), ""
			}
			got := d.runOK(t, stdin, notification("--targets", file)...)
			if got["accepted"] != 2.0 || got["chunks"] != 1.0 {
				t.Errorf("got %v, want 2 tokens in 1 chunk", got)
			}
			if list := got["refused"].([]any); len(list) != 1 || list[0].(map[string]any)["position"] != c.line {
				t.Errorf("refused is %v, want line %v", list, c.line)
			}
			if all := d.tokens(t, "huawei:normal"); len(all) != 2 || all["a"] != 1 || all["b"] != 1 {
				t.Errorf("the lane has tokens %v, want a and b once", all)
			}
		})
	}
}

func TestALongFileIsCutIntoFullChunks(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	got := d.runOK(t, csv(1234), notification("--targets", "-", "--id", "campaign", "--priority", "bulk")...)
	if got["job"] != "campaign" || got["accepted"] != 1234.0 || got["chunks"] != 124.0 {
		t.Errorf("got %v, want 1234 tokens in 124 chunks", got)
	}
	d.checkComplete(t, "campaign", "huawei:bulk", 1234)
}

// checkComplete checks that a lane has every token of csv(n) once, in full
// chunks, and that the job is completely enqueued.
func (d *deployment) checkComplete(t *testing.T, job, lane string, n int) {
	t.Helper()
	all := d.tokens(t, lane)
	for token, times := range all {
		if times != 1 {
			t.Errorf("token %s occurs %d times", token, times)
		}
	}
	if tasks := len(d.tasks(t, lane)); len(all) != n || tasks != (n+9)/10 {
		t.Errorf("%d tokens wait in %d tasks, want %d in %d", len(all), tasks, n, (n+9)/10)
	}
	if keys := d.rdb.Keys(t.Context(), "postrider:chunk:*").Val(); len(keys) != (n+9)/10 {
		t.Errorf("redis has %d chunks, want %d", len(keys), (n+9)/10)
	}
	ledger := d.rdb.HGetAll(t.Context(), wire.JobKey(job)).Val()
	if ledger["state"] != wire.Running || ledger["accepted"] != fmt.Sprint(n) || ledger["digest"] != "" {
		t.Errorf("the ledger is %v, want it running with %d tokens", ledger, n)
	}
	if left := d.rdb.Exists(t.Context(), wire.StagedKey(job)).Val(); left != 0 {
		t.Error("the staged part of the job was not removed")
	}
}

func TestSendTakesACompleteJob(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	job := `{"id":"order-42","app":"shop","priority":"high","delivery":"at-most-once","not_before":"2020-01-01T00:00:00+08:00",
		"message":{"kind":"notification","class":"service","category":"ORDER","channel":"orders","title":"Shipped","body":"Your order",
		"data":{"order":"42"},"click":{"action":"url","target":"https://shop.example/o/42"},"collapse_id":"order-42","ttl":"24h",
		"image":"","sound":"","badge":1,"test":false,"overrides":{"huawei":{"android":{"urgency":"HIGH"}}}},
		"targets":{"huawei":["t1","t2"]}}`
	got := d.runOK(t, "", "send", "--job", write(t, "job.json", job))
	if got["job"] != "order-42" || got["accepted"] != 2.0 {
		t.Errorf("got %v, want order-42 with 2 tokens", got)
	}
	tasks := d.tasks(t, "huawei:high")
	if len(tasks) != 1 || tasks[0].Job != "order-42" || tasks[0].App != "shop" {
		t.Fatalf("tasks are %+v, want one of order-42", tasks)
	}
	c, err := wire.DecodeChunk(d.rdb.Get(t.Context(), wire.ChunkKey(tasks[0].Chunk)).Val())
	if err != nil || !c.Entries[0].AtMostOnce || !strings.Contains(c.Messages[0], `"channel":"orders"`) {
		t.Errorf("the chunk is %+v, %v, want at-most-once delivery and the message", c, err)
	}
}

func TestFlagsOverrideTheMessageFile(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	file := write(t, "m.json", `{"title":"from the file","body":"from the file","data":{"a":"1"}}`)
	d.runOK(t, "", "send", "--app", "shop", "--target", "huawei:a", "--message", file, "--title", "from the flag", "--data", "b=2=3",
		"--badge", "0", "--ttl", "90m", "--click", "url:https://shop.example/o")
	c, err := wire.DecodeChunk(d.rdb.Get(t.Context(), wire.ChunkKey(d.tasks(t, "huawei:normal")[0].Chunk)).Val())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"title":"from the flag","body":"from the file","data":{"a":"1","b":"2=3"},` +
		`"click":{"action":"url","target":"https://shop.example/o"},"ttl":"1h30m0s","badge":0}`
	if c.Messages[0] != want {
		t.Errorf("the message is\n %s, want\n %s", c.Messages[0], want)
	}
}

func TestAJobForLaterIsScheduled(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"2h", "2099-01-01T00:00:00+08:00"} {
		d := newDeployment(t)
		d.runOK(t, "", notification("--target", "huawei:a", "--at", at)...)
		d.runOK(t, csv(20), notification("--targets", "-", "--at", at)...)
		if n := d.rdb.ZCard(t.Context(), wire.ScheduledKey("huawei:normal")).Val(); n != 3 || len(d.tasks(t, "huawei:normal")) != 0 {
			t.Errorf("at %s: %d tasks are scheduled, want 3 scheduled and none due", at, n)
		}
	}
}

func TestAKnownIdIsADuplicate(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"by flags":      notification("--target", "huawei:a", "--id", "once"),
		"by a file":     notification("--targets", "-", "--id", "once"),
		"by a long job": {"send", "--job", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			stdin := csv(30)
			if name == "by a long job" {
				stdin = longJob("once", 1200)
			}
			first := d.runOK(t, stdin, args...)
			before := d.rdb.DBSize(t.Context()).Val()
			got := d.run(t, stdin, append(args, "--json")...)
			if got.code != exitDuplicate || got.err != "enqueue: job once: duplicate job id\n" {
				t.Errorf("exit %d, %s, want 3 and a duplicate error", got.code, got.err)
			}
			if v := object(t, got.out); v["job"] != "once" || v["field"] != "id" {
				t.Errorf("got %v, want job once and field id", v)
			}
			if after := d.rdb.DBSize(t.Context()).Val(); after != before {
				t.Errorf("redis has %d keys, want %d as before", after, before)
			}
			if n := len(d.tokens(t, "huawei:normal")); float64(n) != first["accepted"] {
				t.Errorf("%d tokens wait, want %v", n, first["accepted"])
			}
		})
	}
}

// longJob is a job with too many tokens for a single script call.
func longJob(id string, n int) string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("t%05d", i)
	}
	list, _ := json.Marshal(tokens) // encoding strings cannot fail
	return fmt.Sprintf(`{"id":%q,"app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":%s}}`, id, list)
}

func job(id string, rest string) string {
	return fmt.Sprintf(`{"id":%q,"app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":["t-%s"]}%s}`+"\n", id, id, rest)
}

func TestJobsAreAnsweredLineByLine(t *testing.T) {
	t.Parallel()
	fine := job("a", "") + "\n" + job("b", "")
	for _, c := range []struct {
		name, text string
		code       int
		want       []string // of each line: job and field, or job and "+tokens"
	}{
		{"all right", fine, 0, []string{"a +1", "b +1"}},
		{"nothing", "\n\n", 0, nil},
		{"one is a duplicate", fine + job("a", "") + job("c", ""), exitDuplicate, []string{"a +1", "b +1", "a id", "c +1"}},
		{"one is refused", fine + job("c", `,"priority":"urgent"`) + job("d", ""), exitUsage, []string{"a +1", "b +1", "c priority", "d +1"}},
		{"one is not JSON", fine + "{\n" + job("d", ""), exitUsage, []string{"a +1", "b +1", " ", "d +1"}},
		{"one is misspelt", job("a", `,"ap":1`) + job("d", ""), exitUsage, []string{"a ap", "d +1"}},
		{"a duplicate and then a refused one", job("a", "") + job("a", "") + "x\n", exitUsage, []string{"a +1", "a id", " "}},
		{"a refused one and then a duplicate", "x\n" + job("a", "") + job("a", ""), exitUsage, []string{" ", "a +1", "a id"}},
		{"a long one between short ones", job("a", "") + longJob("long", 1200) + "\n" + job("b", ""), 0, []string{"a +1", "long +1200", "b +1"}},
		{"a token is refused and the job goes on", `{"id":"a","app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":["x","y z"]}}`, 0, []string{"a +1"}},
		{"no token is left", `{"id":"a","app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":["y z"]}}`, exitUsage, []string{"a targets"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			got := d.run(t, c.text, "send", "--jobs", "-")
			refused := 0
			for _, w := range c.want {
				if !strings.Contains(w, "+") {
					refused++
				}
			}
			if printed := strings.Count(got.err, ": line "); got.code != c.code || printed != refused {
				t.Errorf("exit %d, %s, want %d and %d refused lines", got.code, got.err, c.code, refused)
			}
			if lines := answers(t, got.out); !slices.Equal(lines, c.want) {
				t.Errorf("got %q, want %q", lines, c.want)
			}
			ledgers := 0
			for _, w := range c.want {
				if strings.Contains(w, "+") {
					ledgers++
				}
			}
			if keys := d.rdb.Keys(t.Context(), "postrider:job:*").Val(); len(keys) != ledgers {
				t.Errorf("redis has ledgers %q, want %d", keys, ledgers)
			}
		})
	}
}

// answers summarizes the lines that --jobs printed.
func answers(t *testing.T, out string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(out) {
		v := object(t, line)
		if _, refused := v["error"]; refused {
			wantKeys(t, v, "job", "error", "field")
			all = append(all, fmt.Sprint(v["job"], " ", v["field"]))
			continue
		}
		wantKeys(t, v, "job", "accepted", "refused", "chunks")
		all = append(all, fmt.Sprint(v["job"], " +", v["accepted"]))
	}
	return all
}

func TestATruncatedStreamOfJobsIsSentUpToItsEnd(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	z := zipped(job("a", "") + job("b", ""))
	got := d.run(t, z[:len(z)-4], "send", "--jobs", "-", "--json")
	if got.code != exitUsage || got.err != "enqueue: stdin: line 3: the gzip stream breaks off\n" {
		t.Errorf("exit %d, %s, want 2 and line 3", got.code, got.err)
	}
	if lines := answers(t, got.out); !slices.Equal(lines, []string{"a +1", "b +1", " "}) {
		t.Errorf("got %q, want two jobs and a refusal", lines)
	}
}

func TestRefusedJobsOfAStreamArePrintedOnStderr(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	text := job("a", "") + job("a", "") + strings.Repeat("x\n", 20)
	got := d.run(t, text, "send", "--jobs", write(t, "jobs.ndjson", text))
	lines := strings.Split(strings.TrimSuffix(got.err, "\n"), "\n")
	if got.code != exitUsage || len(lines) != 11 {
		t.Fatalf("exit %d, %s, want 2, ten lines and the totals", got.code, got.err)
	}
	for i, want := range map[int]string{
		0:  "/jobs.ndjson: line 2: job a: duplicate job id",
		1:  "/jobs.ndjson: line 3: is not JSON: invalid character 'x' looking for beginning of value at byte 1",
		10: "enqueue: of 22 jobs, 20 were refused and 1 were duplicates: stdout has a line for each",
	} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("line %d is\n%s, want\n… %s", i+1, lines[i], want)
		}
	}
}

func TestAByteOrderMarkIsAccepted(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	const mark = "\ufeff"
	message := write(t, "m.json", mark+`{"title":"t","body":"b"}`)
	for name, c := range map[string]struct {
		stdin string
		args  []string
	}{
		"job":          {mark + job("a", ""), []string{"send", "--job", "-"}},
		"job in gzip":  {zipped(mark + job("b", "")), []string{"send", "--job", "-"}},
		"jobs":         {mark + job("c", ""), []string{"send", "--jobs", "-"}},
		"targets":      {mark + "huawei,a\n", notification("--targets", "-")},
		"message":      {"", []string{"send", "--app", "shop", "--target", "huawei:a", "--message", message}},
		"gzip message": {zipped(mark + `{"title":"t","body":"b"}`), []string{"send", "--app", "shop", "--target", "huawei:a", "--message", "-"}},
	} {
		if got := d.run(t, c.stdin, c.args...); got.code != 0 || got.err != "" {
			t.Errorf("%s: exit %d, %s", name, got.code, got.err)
		}
	}
	marked := writeConfig(t, redistest.URL(d.rdb))
	text, err := os.ReadFile(marked)
	if err != nil {
		t.Fatal(err)
	}
	got := (&deployment{config: write(t, "marked.yaml", mark+string(text))}).run(t, "", "invalid")
	if got.code != 0 {
		t.Errorf("configuration: exit %d, %s", got.code, got.err)
	}
}

func TestAJobOverSeveralLinesIsRefusedOnce(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	got := d.run(t, "{\n  \"id\": \"a\",\n  \"app\": \"shop\"\n}\n", "send", "--jobs", "-")
	want := "enqueue: stdin: line 1: is not a whole job: in --jobs one line is one job (NDJSON); --job takes one that goes over several lines\n" +
		"enqueue: of 1 jobs, 1 were refused and 0 were duplicates: stdout has a line for each\n"
	if got.code != exitUsage || got.err != want || strings.Count(got.out, "\n") != 1 {
		t.Errorf("exit %d, stdout %q and stderr\n%s, want 2, one line and\n%s", got.code, got.out, got.err, want)
	}
}

func TestManyJobsShareChunks(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	var b strings.Builder
	for i := range 300 {
		b.WriteString(job(fmt.Sprint("j", i), ""))
	}
	file := write(t, "jobs.ndjson.gz", zipped(b.String()))
	got := d.run(t, "", "send", "--jobs", file)
	if got.code != 0 || strings.Count(got.out, "\n") != 300 {
		t.Fatalf("exit %d with %d lines, want 0 with 300: %s", got.code, strings.Count(got.out, "\n"), got.err)
	}
	if tasks := len(d.tasks(t, "huawei:normal")); tasks > 60 || len(d.tokens(t, "huawei:normal")) != 300 {
		t.Errorf("%d tasks carry %d tokens, want 300 in chunks of ten", tasks, len(d.tokens(t, "huawei:normal")))
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	dir := t.TempDir()
	for _, kind := range []string{"--targets", "--job", "--jobs"} {
		args := []string{"send", kind, dir}
		if kind == "--targets" {
			args = notification(kind, dir)
		}
		if got := d.run(t, "", args...); got.code == 0 || !strings.Contains(got.err, "is a directory") {
			t.Errorf("%s: exit %d, %s, want that it is a directory", kind, got.code, got.err)
		}
	}
	d.checkEmpty(t)
}

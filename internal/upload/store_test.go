package upload_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func message(key string) upload.Message { return upload.Message{App: "shop", Vendor: "vivo", Key: key} }

// saver counts how often the vendor was asked, and names messages by that.
type saver struct{ calls atomic.Int64 }

func (s *saver) save(context.Context) (vendors.Uploaded, error) {
	return vendors.Uploaded{ID: "id-" + strconv.FormatInt(s.calls.Add(1), 10), Lifetime: time.Hour}, nil
}

func mustNotSave(t *testing.T) func(context.Context) (vendors.Uploaded, error) {
	return func(context.Context) (vendors.Uploaded, error) {
		t.Error("the message was saved")
		return vendors.Uploaded{ID: "wrong", Lifetime: time.Hour}, nil
	}
}

// patience bounds every wait, so that a fault fails and does not hang.
func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func get(t *testing.T, s *upload.Store, m upload.Message, save func(context.Context) (vendors.Uploaded, error)) string {
	t.Helper()
	id, err := s.ID(patience(t), m, save)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestManyWorkersSaveAMessageOnce(t *testing.T) {
	t.Parallel()
	o := redistest.Client(t).Options()
	var vendor saver
	var wg sync.WaitGroup
	start, ids := make(chan struct{}), make(chan string, 90)
	for range 3 { // workers, each with connections of its own
		client := redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB})
		t.Cleanup(func() { _ = client.Close() })
		store := &upload.Store{Redis: client}
		for range 30 {
			wg.Go(func() {
				<-start
				id, err := store.ID(patience(t), message("k"), vendor.save)
				if err != nil {
					t.Error(err)
				}
				ids <- id
			})
		}
	}
	close(start)
	wg.Wait()
	close(ids)
	for id := range ids {
		if id != "id-1" {
			t.Errorf("got %q, want the one name id-1", id)
		}
	}
	if n := vendor.calls.Load(); n != 1 {
		t.Errorf("the vendor was asked %d times, want once", n)
	}
}

func TestMessagesOfAnotherAppVendorOrKeyAreSavedThemselves(t *testing.T) {
	t.Parallel()
	s := &upload.Store{Redis: redistest.Client(t)}
	var vendor saver
	seen := map[string]bool{}
	for _, m := range []upload.Message{
		{App: "shop", Vendor: "vivo", Key: "k"}, {App: "bank", Vendor: "vivo", Key: "k"},
		{App: "shop", Vendor: "oppo", Key: "k"}, {App: "shop", Vendor: "vivo", Key: "l"},
	} {
		seen[get(t, s, m, vendor.save)] = true
	}
	if len(seen) != 4 {
		t.Errorf("four messages have the names %v, want four", seen)
	}
}

func TestANameLivesAsLongAsTheVendorSays(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	s := &upload.Store{Redis: client}
	var vendor saver
	get(t, s, message("k"), vendor.save)
	keys := client.Keys(t.Context(), "postrider:saved:*").Val()
	if len(keys) != 1 {
		t.Fatalf("keys are %v, want only the id: the lock is released", keys)
	}
	if got := client.TTL(t.Context(), keys[0]).Val(); got > time.Hour || got < time.Hour-time.Minute {
		t.Errorf("the name lives for %v, want an hour", got)
	}
	client.Del(t.Context(), keys[0]) // as Redis does after that time
	if id := get(t, s, message("k"), vendor.save); id != "id-2" {
		t.Errorf("got %q, want the message uploaded again", id)
	}
}

func TestARefusalIsReturnedAndTheNextTriesAgain(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	refusal := &vendors.Error{Op: "save", Err: errors.New("quota")}
	asked, answer := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		_, err := (&upload.Store{Redis: client}).ID(patience(t), message("k"), func(context.Context) (vendors.Uploaded, error) {
			close(asked)
			<-answer
			return vendors.Uploaded{}, refusal
		})
		first <- err
	}()
	<-asked
	second := make(chan string, 1)
	var vendor saver
	go func() {
		id, err := (&upload.Store{Redis: client}).ID(patience(t), message("k"), vendor.save) // of another worker
		if err != nil {
			t.Error(err)
		}
		second <- id
	}()
	close(answer)
	if err := <-first; !errors.Is(err, error(refusal)) {
		t.Errorf("got %v, want the refusal as it is", err)
	}
	if id := <-second; id != "id-1" {
		t.Errorf("the next got %q, want a name of its own save", id)
	}
}

// watched closes waiting when somebody waits for the context's end.
type watched struct {
	context.Context
	once    sync.Once
	waiting chan struct{}
}

func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.waiting) })
	return w.Context.Done()
}

func TestTheOthersGetTheirAnswerWhenOneCallerIsCancelled(t *testing.T) {
	t.Parallel()
	for name, leaver := range map[string]int{"the one who saves": 0, "another one": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &upload.Store{Redis: redistest.Client(t)}
			var vendor saver
			asked, answer := make(chan struct{}), make(chan struct{})
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			ask := func(i int) chan error {
				mine, end := &watched{Context: patience(t), waiting: make(chan struct{})}, make(chan error, 1)
				if i == leaver {
					mine.Context = ctx
				}
				go func() {
					_, err := s.ID(mine, message("k"), func(ctx context.Context) (vendors.Uploaded, error) {
						close(asked)
						select {
						case <-answer:
							return vendor.save(ctx)
						case <-ctx.Done():
							return vendors.Uploaded{}, ctx.Err()
						}
					})
					end <- err
				}()
				<-mine.waiting
				return end
			}
			ends := []chan error{ask(0)}
			<-asked
			ends = append(ends, ask(1), ask(2))
			leave()
			if err := <-ends[leaver]; !errors.Is(err, context.Canceled) {
				t.Errorf("the cancelled caller got %v", err)
			}
			close(answer)
			for i, end := range ends {
				if i != leaver {
					if err := <-end; err != nil {
						t.Errorf("caller %d: %v", i, err)
					}
				}
			}
			if n := vendor.calls.Load(); n != 1 {
				t.Errorf("%d saves, want 1", n)
			}
		})
	}
}

// A worker that was killed while it was saving holds the lock until it expires.
func TestADeadWorkersLockExpires(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	dead, s := &upload.Store{Redis: client}, &upload.Store{Redis: client}
	dying, died := make(chan struct{}), make(chan struct{})
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	go func() {
		defer close(died)
		_, _ = dead.ID(ctx, message("k"), func(ctx context.Context) (vendors.Uploaded, error) {
			close(dying)
			<-ctx.Done()
			return vendors.Uploaded{}, ctx.Err()
		})
	}()
	<-dying
	locks := client.Keys(t.Context(), "postrider:saved:*:lock").Val()
	if len(locks) != 1 {
		t.Fatalf("locks are %v, want one", locks)
	}
	if ttl := client.PTTL(t.Context(), locks[0]).Val(); ttl <= 0 || ttl > 15*time.Second {
		t.Errorf("the lock lives for %v, want at most 15 s", ttl)
	}
	client.PExpire(t.Context(), locks[0], 50*time.Millisecond) // those 15 s are over
	var vendor saver
	if id := get(t, s, message("k"), vendor.save); id != "id-1" {
		t.Errorf("got %q, want a name", id)
	}
	kill()
	<-died
	if id := get(t, s, message("k"), mustNotSave(t)); id != "id-1" {
		t.Errorf("after the dead worker's end the name is %q, want id-1", id)
	}
}

// A worker that was only slow must not take the lock from its successor.
func TestALateWorkerGivesBackItsOwnLockOnly(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	s := &upload.Store{Redis: client}
	late, wake := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.ID(patience(t), message("k"), func(context.Context) (vendors.Uploaded, error) {
			close(late)
			<-wake
			return vendors.Uploaded{}, errors.New("too slow")
		})
	}()
	<-late
	lock := client.Keys(t.Context(), "postrider:saved:*:lock").Val()[0]
	client.Set(t.Context(), lock, "successor", time.Minute)
	close(wake)
	<-done
	if got := client.Get(t.Context(), lock).Val(); got != "successor" {
		t.Errorf("the successor's lock is %q", got)
	}
}

func TestForgetDeletesOnlyTheGivenID(t *testing.T) {
	t.Parallel()
	s := &upload.Store{Redis: redistest.Client(t)}
	var vendor saver
	get(t, s, message("k"), vendor.save)
	get(t, s, message("other"), vendor.save)
	if err := s.Forget(t.Context(), message("k"), "id-0"); err != nil {
		t.Fatal(err)
	}
	if id := get(t, s, message("k"), mustNotSave(t)); id != "id-1" {
		t.Errorf("got %q, want the newer name to stay", id)
	}
	if err := s.Forget(t.Context(), message("k"), "id-1"); err != nil {
		t.Fatal(err)
	}
	if id := get(t, s, message("k"), vendor.save); id != "id-3" {
		t.Errorf("got %q, want a new name", id)
	}
	if id := get(t, s, message("other"), mustNotSave(t)); id != "id-2" {
		t.Errorf("got %q, want the other message's name to stay", id)
	}
}

// An upload costs quota: its id is kept even if no caller waits any longer.
func TestANameIsKeptThoughTheCallerLeft(t *testing.T) {
	t.Parallel()
	s := &upload.Store{Redis: redistest.Client(t)}
	ctx, leave := context.WithCancel(t.Context())
	_, err := s.ID(ctx, message("k"), func(ctx context.Context) (vendors.Uploaded, error) {
		leave()
		<-ctx.Done()
		return vendors.Uploaded{ID: "id-1", Lifetime: time.Hour}, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the caller's end", err)
	}
	if id := get(t, s, message("k"), mustNotSave(t)); id != "id-1" {
		t.Errorf("got %q, want id-1", id)
	}
}

func TestWaitingForAnotherWorkerEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	_, err := (&upload.Store{Redis: client}).ID(patience(t), message("k"), func(ctx context.Context) (vendors.Uploaded, error) {
		short, cancel := context.WithTimeout(ctx, 60*time.Millisecond)
		defer cancel()
		_, err := (&upload.Store{Redis: client}).ID(short, message("k"), mustNotSave(t))
		return vendors.Uploaded{}, err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's end", err)
	}
}

func TestAFaultOfRedisIsReported(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	s := &upload.Store{Redis: client}
	_ = client.Close()
	if _, err := s.ID(t.Context(), message("k"), mustNotSave(t)); err == nil {
		t.Error("ID: got no error")
	}
	if err := s.Forget(t.Context(), message("k"), "id-1"); err == nil {
		t.Error("Forget: got no error")
	}
}

// overtaken has another worker finish between a worker's look and its lock.
type overtaken struct{ other *redis.Client }

func (o overtaken) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o overtaken) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (o overtaken) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		args := cmd.Args() // the lock is taken by a script of two arguments, and given back by one of one
		key := ""
		if len(args) == 6 {
			key, _ = args[3].(string)
		}
		if name, lock := strings.CutSuffix(key, ":lock"); lock {
			if err := o.other.Set(ctx, name, "id-of-the-other", time.Hour).Err(); err != nil {
				return err
			}
		}
		return next(ctx, cmd)
	}
}

func TestAWorkerThatIsOvertakenDoesNotSaveAgain(t *testing.T) {
	t.Parallel()
	other := redistest.Client(t)
	o := other.Options()
	client := redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB})
	t.Cleanup(func() { _ = client.Close() })
	client.AddHook(overtaken{other: other})
	if id := get(t, &upload.Store{Redis: client}, message("k"), mustNotSave(t)); id != "id-of-the-other" {
		t.Errorf("got %q, want the other worker's name", id)
	}
}

// go-redis sends a command again whose reply was lost. A lock that is ours must
// not be taken for another worker's: everybody would wait until it ends.
func TestALockWhoseReplyWasLostIsOurs(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	store := &upload.Store{Redis: flaky}
	var vendor saver
	for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
		direct.FlushDB(t.Context())
		proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
		before := time.Now()
		get(t, store, message("k"), vendor.save)
		if took := time.Since(before); took > 5*time.Second || vendor.calls.Load() != int64(n+1) {
			t.Errorf("answer %d lost: it took %v, the vendor was asked %d times in all", n, took, vendor.calls.Load())
		}
		if n > 0 && proxy.Commands() < n || t.Failed() {
			return
		}
	}
}

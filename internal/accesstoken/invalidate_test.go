package accesstoken

import (
	"sync"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
)

func TestManyWorkersThatLoseATokenMakeOneGrant(t *testing.T) {
	t.Parallel()
	stores := workers(4, redistest.Client(t))
	g := &vendorFake{}
	everybody(t, stores, 1, g)
	var wg sync.WaitGroup
	for _, s := range stores {
		for range 25 {
			wg.Go(func() {
				if err := s.Invalidate(t.Context(), app, vendor, "access-1"); err != nil {
					t.Error(err)
				}
				access(t, s, g, "access-2")
			})
		}
	}
	wg.Wait()
	if n := g.grants.Load(); n != 2 {
		t.Errorf("%d grants, want 2", n)
	}
}

func TestANewerTokenSurvivesTheEndOfAnOlder(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	g := &vendorFake{}
	slow, quick := &Store{Redis: client}, &Store{Redis: client}
	access(t, slow, g, "access-1")
	access(t, quick, g, "access-1")
	for _, s := range []*Store{quick, slow} {
		if err := s.Invalidate(t.Context(), app, vendor, "access-1"); err != nil {
			t.Fatal(err)
		}
		access(t, s, g, "access-2")
	}
}

func TestInvalidatingWhatIsNotThereDoesNothing(t *testing.T) {
	t.Parallel()
	s := &Store{Redis: redistest.Client(t)}
	for range 2 { // before and after it knows the app
		if err := s.Invalidate(t.Context(), app, vendor, "access-0"); err != nil {
			t.Error(err)
		}
		access(t, s, &vendorFake{}, "access-1")
	}
}

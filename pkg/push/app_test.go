package push_test

import (
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
)

func TestValidApp(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"shop": true, "Shop-2.test_a": true, "0815": true, strings.Repeat("a", 64): true,
		"": false, "-shop": false, ".shop": false, "_shop": false, "my shop": false, "läden": false, "a:b": false, "a{b}": false,
		strings.Repeat("a", 65): false,
	} {
		if got := push.ValidApp(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// A producer without a configuration knows no apps, yet takes no name that a
// configuration could not have.
func TestAJobsAppHasAValidName(t *testing.T) {
	t.Parallel()
	c, err := push.NewClient(redistest.Client(t), push.Options{Vendors: []push.Vendor{{Name: "huawei", Batch: 10}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Enqueue(t.Context(), push.Job{
		App: ".shop", Message: push.Message{Title: "Hi", Body: "there"}, Targets: map[string][]string{"huawei": {"token"}},
	})
	if err == nil || !strings.Contains(err.Error(), "app: is not an app's name: "+push.AppRule) {
		t.Errorf("got %v, want a fault of the field app", err)
	}
}

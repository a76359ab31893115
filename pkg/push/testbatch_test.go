package push_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// A streamed job of test messages has chunks that are requests, as others have.
func TestAStreamOfTestMessagesHasSmallChunks(t *testing.T) {
	t.Parallel()
	for test, want := range map[bool][]int{true: {5, 10, 10}, false: {25}} {
		t.Run(fmt.Sprintf("test %v", test), func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			c, err := push.NewClient(rdb, push.Options{Vendors: []push.Vendor{{Name: "nova", Batch: 1000, TestBatch: 10}}})
			if err != nil {
				t.Fatal(err)
			}
			st, err := c.Open(push.Job{ID: "j", App: "a", Message: push.Message{Title: "t", Body: "b", Test: test}})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 25 {
				if err := st.Add(t.Context(), i+1, "nova", fmt.Appendf(nil, "t%d", i)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := st.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			var sizes []int
			for _, key := range rdb.Keys(t.Context(), "postrider:chunk:*").Val() {
				chunk, err := wire.DecodeChunk(rdb.Get(t.Context(), key).Val())
				if err != nil {
					t.Fatal(err)
				}
				sizes = append(sizes, len(chunk.States))
			}
			if slices.Sort(sizes); !slices.Equal(sizes, want) {
				t.Errorf("got chunks of %v tokens, want %v", sizes, want)
			}
		})
	}
}

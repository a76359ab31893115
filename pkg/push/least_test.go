package push_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// TestNoChunkHasFewerTokensThanTheVendorsLeast cuts jobs for a vendor whose
// batch request takes 2 to 5 tokens.
func TestNoChunkHasFewerTokensThanTheVendorsLeast(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]int{
		1: {1}, 2: {2}, 5: {5}, 6: {4, 2}, 7: {5, 2}, 10: {5, 5}, 11: {5, 4, 2}, 12: {5, 5, 2},
	} {
		for _, way := range []string{"whole", "streamed"} {
			t.Run(fmt.Sprintf("%d tokens %s", n, way), func(t *testing.T) {
				t.Parallel()
				rdb := redistest.Client(t)
				c, err := push.NewClient(rdb, push.Options{Vendors: []push.Vendor{{Name: "pair", Batch: 5, MinBatch: 2}}})
				if err != nil {
					t.Fatal(err)
				}
				j := push.Job{ID: "j", App: "a", Message: push.Message{Title: "t", Body: "b"}}
				var tokens []string
				for i := range n {
					tokens = append(tokens, fmt.Sprintf("t%0*d", 1+i%3, i))
				}
				if way == "whole" {
					j.Targets = map[string][]string{"pair": tokens}
					if _, err := c.Enqueue(t.Context(), j); err != nil {
						t.Fatal(err)
					}
				} else {
					st, err := c.Open(j)
					if err != nil {
						t.Fatal(err)
					}
					for i, token := range tokens {
						if err := st.Add(t.Context(), i+1, "pair", []byte(token)); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := st.Commit(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				var sizes []int
				var all []string
				for _, key := range rdb.Keys(t.Context(), "postrider:chunk:*").Val() {
					chunk, err := wire.DecodeChunk(rdb.Get(t.Context(), key).Val())
					if err != nil {
						t.Fatal(err)
					}
					sizes = append(sizes, len(chunk.States))
					for _, e := range chunk.Entries {
						all = append(all, e.Tokens...)
					}
				}
				slices.Sort(sizes)
				slices.Reverse(sizes)
				if !slices.Equal(sizes, want) {
					t.Errorf("chunks of %v, want %v", sizes, want)
				}
				slices.Sort(all)
				slices.Sort(tokens)
				if !slices.Equal(all, tokens) {
					t.Errorf("the chunks hold %v, want %v", all, tokens)
				}
			})
		}
	}
}

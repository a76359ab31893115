package vendors_test

import (
	"slices"
	"testing"

	"github.com/postrider/postrider/pkg/vendors"
)

func TestAMappingIsTwoColumnsUnderAHeader(t *testing.T) {
	t.Parallel()
	got := vendors.MustParseMapping("# a comment\nfield\tto\n\nmessage.ttl\tttl, seconds\r\nmessage.sound\t-\n")
	want := []vendors.Mapping{{Field: "message.ttl", To: "ttl, seconds"}, {Field: "message.sound", To: "-"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"message.ttl\tttl\n", "field\tto\nmessage.ttl\n", "field\tto\na\tb\tc\n", "field\tto\na\t\n", "field\tto\n\tb\n"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is accepted", bad)
				}
			}()
			vendors.MustParseMapping(bad)
		}()
	}
}

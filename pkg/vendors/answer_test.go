package vendors_test

import (
	"reflect"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestNamedTokensKeepTheRequestsOrder(t *testing.T) {
	t.Parallel()
	named := map[string]string{"c": "3", "a": "1", "never sent": "9"}
	want := []vendors.TokenCode{
		{Index: 0, Code: classify.Code{Level: classify.Token, Code: "1"}},
		{Index: 2, Code: classify.Code{Level: classify.Token, Code: "3"}},
	}
	if got := vendors.NamedTokens([]string{"a", "b", "c"}, named); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := vendors.NamedTokens([]string{"a"}, map[string]string{"b": "1"}); got != nil {
		t.Errorf("got %v, want nil", got)
	}
}

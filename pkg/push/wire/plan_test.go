package wire

import (
	"fmt"
	"testing"
	"time"
)

func TestAPullPlanIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, want := range []PullPlan{
		{Next: time.UnixMilli(5)},
		{Done: time.UnixMilli(1_795_928_206_502), Next: time.UnixMilli(1_795_931_806_502), Failures: 3},
	} {
		fields, words := map[string]string{}, want.Words()
		for i := 0; i < len(words); i += 2 {
			fields[words[i].(string)] = fmt.Sprint(words[i+1])
		}
		if got := DecodePullPlan(fields); !got.Done.Equal(want.Done) || !got.Next.Equal(want.Next) || got.Failures != want.Failures {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	stored := map[string]string{"done": "0", "next": "1795931806502", "failures": "2"} // as every version has written it
	if got := DecodePullPlan(stored); !got.Done.IsZero() || got.Next.UnixMilli() != 1_795_931_806_502 || got.Failures != 2 {
		t.Errorf("got %+v of %v", got, stored)
	}
	if got := DecodePullPlan(map[string]string{"done": "soon", "failures": "-1"}); !got.Done.IsZero() || !got.Next.IsZero() || got.Failures != 0 {
		t.Errorf("got %+v of fields that cannot be read, want a zero plan", got)
	}
}

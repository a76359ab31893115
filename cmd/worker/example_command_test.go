package main

import (
	"bytes"
	"testing"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func TestTheExampleIsAValidConfiguration(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"example"}, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d, %s", code, &errs)
	}
	env := func(string) (string, bool) { return "value", true }
	if _, err := config.Parse("example.yaml", out.Bytes(), registry.All(), config.Source{Env: env}); err != nil {
		t.Error(err)
	}
}

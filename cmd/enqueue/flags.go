package main

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/postrider/postrider/pkg/push/text"
)

// flagError tells what is wrong with a flag. The values that users give may be
// push tokens, so they are shown as text.Name shows them.
func flagError(_ *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s: %q is not %s", e.GetFlag().Name, shown(e.GetValue()), wanted(e.GetFlag().Value.Type()))
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if e.GetSpecifiedShortnames() != "" {
			return fmt.Errorf("unknown flag: -%s", text.Name(e.GetSpecifiedShortnames()))
		}
		return fmt.Errorf("unknown flag: --%s", text.Name(e.GetSpecifiedName()))
	}
	if e, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return fmt.Errorf("bad flag syntax: %s", text.Name(e.GetSpecifiedFlag()))
	}
	return err
}

// wanted is what a flag of a type takes.
func wanted(kind string) string {
	switch kind {
	case "duration":
		return "a duration like 2h"
	case "bool":
		return "true or false"
	}
	return "a whole number"
}

// aTime is what a time looks like, right or wrong.
var aTime = regexp.MustCompile(`^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,2}([T ][\d:.]{1,18} ?([Zz]|[+-][\d:]{1,6})?)?$`)

// shown is a value that is wrong, whole if it is a time or a name.
func shown(s string) string {
	if aTime.MatchString(s) {
		return s
	}
	return text.Name(s)
}

// moment reads a flag's time, or its duration before (-1) or after (1) now.
func moment(flag, s string, direction time.Duration) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && (d >= 0 || direction > 0) {
		return time.Now().Add(direction * d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, usage(fmt.Errorf("--%s: %q is neither a time like 2026-11-21T09:00:00+08:00 nor a duration like 2h", flag, shown(s)))
	}
	return t, nil
}

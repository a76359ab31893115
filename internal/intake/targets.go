package intake

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/text"
)

// longestTarget bounds a line of a targets file: far over the longest token, so
// that a token that is too long is refused as one and not as a broken line.
const longestTarget = 1 << 20

// Targets reads a list of targets and calls add for each with its line. The
// format is NDJSON, {"vendor":…,"token":…} a line, if the first character is
// "{", else CSV, vendor,token a line, the header optional; blank lines are left
// out. vendor and token are valid during the call only. It ends with the first
// error, of the input (a *LineError, which a *push.InvalidError of add becomes
// too) or of add.
func Targets(r io.Reader, add func(line int, vendor, token []byte) error) error {
	l, err := open(r, longestTarget)
	if err != nil {
		return err
	}
	parse, first := parseCSV, true
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		trimmed := bytes.TrimSpace(line)
		if len(trimmed) == 0 {
			continue
		}
		if first {
			first = false
			if trimmed[0] == '{' {
				parse = parseJSON
			} else if is, err := header(line); err != nil {
				return &LineError{l.n, err}
			} else if is {
				continue
			}
		}
		vendor, token, err := parse(line)
		if err != nil {
			return &LineError{l.n, err}
		}
		var invalid *push.InvalidError
		switch err := add(l.n, vendor, token); {
		case errors.As(err, &invalid):
			return &LineError{l.n, err}
		case err != nil:
			return err
		}
	}
}

// header reports whether the first line names the columns.
func header(line []byte) (bool, error) {
	switch strings.ToLower(strings.Map(unquoted, string(line))) {
	case "vendor,token":
		return true, nil
	case "token,vendor":
		return false, errors.New("the columns are swapped: want vendor,token")
	}
	return false, nil
}

// unquoted leaves out quotes and blanks.
func unquoted(r rune) rune {
	if r == '"' || r == ' ' {
		return -1
	}
	return r
}

func parseCSV(line []byte) (vendor, token []byte, err error) {
	if bytes.IndexByte(line, '"') >= 0 {
		return parseQuoted(line)
	}
	vendor, token, ok := bytes.Cut(line, []byte(","))
	if !ok || len(vendor) == 0 {
		return nil, nil, notCSV(line)
	}
	return vendor, token, nil
}

// notCSV says what is wrong with a line that has no two columns.
func notCSV(line []byte) error {
	const want = "is not vendor,token"
	if fault := text.Fault(line); fault != "" {
		return errors.New(want + ", it " + fault)
	}
	for _, other := range []string{";", "\t", "|"} {
		if bytes.Contains(line, []byte(other)) && !bytes.Contains(line, []byte(",")) {
			return fmt.Errorf("%s: its columns are separated by %q, want a comma", want, other)
		}
	}
	return errors.New(want)
}

func parseQuoted(line []byte) (vendor, token []byte, err error) {
	r := csv.NewReader(bytes.NewReader(line))
	r.FieldsPerRecord = 2
	f, err := r.Read()
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return nil, nil, fmt.Errorf("is not vendor,token: it has %d columns, want 2", len(f))
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		return nil, nil, errors.New(`is not vendor,token: quotes go around a whole column, and one inside is written ""`)
	case err != nil, f[0] == "":
		return nil, nil, errors.New("is not vendor,token")
	}
	return []byte(f[0]), []byte(f[1]), nil
}

func parseJSON(line []byte) (vendor, token []byte, err error) {
	const want = `is not {"vendor":…,"token":…}: `
	if fault := text.Fault(line); fault != "" { // encoding/json would read another token
		return nil, nil, errors.New(want + "it " + fault)
	}
	var t struct {
		Vendor *string `json:"vendor"`
		Token  *string `json:"token"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return nil, nil, errors.New(want + jsonFault(err))
	}
	if t.Vendor == nil || t.Token == nil || *t.Vendor == "" {
		return nil, nil, errors.New(want + "one of them is missing")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New(want + "something follows it")
	}
	return []byte(*t.Vendor), []byte(*t.Token), nil
}

// jsonFault is an error of encoding/json without what may be a token.
func jsonFault(err error) string {
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		kind, _, _ := strings.Cut(typ.Value, " ") // what follows is the number itself
		if typ.Field == "" {
			return "it is a JSON " + kind
		}
		return fmt.Sprintf("%s is a JSON %s, want a string", typ.Field, kind)
	}
	said := strings.TrimPrefix(err.Error(), "json: ")
	if quoted, ok := strings.CutPrefix(said, "unknown field "); ok {
		if name, err := strconv.Unquote(quoted); err == nil {
			return fmt.Sprintf("unknown field %q", text.Name(name))
		}
	}
	return said
}

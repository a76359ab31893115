package intake

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/push"
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
		text := bytes.TrimSpace(line)
		if len(text) == 0 {
			continue
		}
		if first {
			first = false
			if text[0] == '{' {
				parse = parseJSON
			} else if header(line) {
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

func header(line []byte) bool {
	return strings.EqualFold(strings.ReplaceAll(string(line), `"`, ""), "vendor,token")
}

func parseCSV(line []byte) (vendor, token []byte, err error) {
	if bytes.IndexByte(line, '"') >= 0 {
		return parseQuoted(line)
	}
	vendor, token, ok := bytes.Cut(line, []byte(","))
	if !ok || len(vendor) == 0 {
		return nil, nil, errors.New("is not vendor,token")
	}
	return vendor, token, nil
}

func parseQuoted(line []byte) (vendor, token []byte, err error) {
	r := csv.NewReader(bytes.NewReader(line))
	r.FieldsPerRecord = 2
	f, err := r.Read()
	if err != nil || f[0] == "" {
		return nil, nil, errors.New("is not vendor,token")
	}
	return []byte(f[0]), []byte(f[1]), nil
}

func parseJSON(line []byte) (vendor, token []byte, err error) {
	if !utf8.Valid(line) { // encoding/json would read another token
		return nil, nil, errors.New(`is not {"vendor":…,"token":…}: it is not UTF-8`)
	}
	var t struct {
		Vendor *string `json:"vendor"`
		Token  *string `json:"token"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return nil, nil, fmt.Errorf(`is not {"vendor":…,"token":…}: %s`, strings.TrimPrefix(err.Error(), "json: "))
	}
	if t.Vendor == nil || t.Token == nil || *t.Vendor == "" {
		return nil, nil, errors.New(`is not {"vendor":…,"token":…}: one of them is missing`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New(`is not {"vendor":…,"token":…}: something follows it`)
	}
	return []byte(*t.Vendor), []byte(*t.Token), nil
}

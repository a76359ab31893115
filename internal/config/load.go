package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// DefaultPath is read when neither a flag nor the environment names a file.
const DefaultPath = "./postrider.yaml"

// envPath is the variable that names the file.
const envPath = "POSTRIDER_CONFIG"

// Files longer than these are refused unread: they are not what they should be.
const (
	maxFile   = 1 << 20  // bytes of configuration
	maxSecret = 64 << 10 // bytes of one secret; the largest real ones are private keys of 4 kB
)

// Find returns the path to read: the flag's, else $POSTRIDER_CONFIG, else DefaultPath.
func Find(flag string, getenv func(string) string) string {
	if flag != "" {
		return flag
	}
	if path := getenv(envPath); path != "" {
		return path
	}
	return DefaultPath
}

// Source is where values come from that the file only points to.
type Source struct {
	// Env looks a variable up; nil: there are none.
	Env func(name string) (value string, set bool)
	// ReadFile reads the secret that a key such as password_file names; nil:
	// there is none. Its error names no secret.
	ReadFile func(path string) ([]byte, error)
}

// Load reads the file at path for the given vendors. What is wrong with its
// contents is an *Error with every fault; a file that cannot be read is any
// other error, which wraps the cause.
func Load(path string, specs []vendors.Spec, env func(string) (string, bool)) (*Config, error) {
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data, specs, Source{Env: env, ReadFile: readSecret})
}

// Parse is Load for a file in memory. Its name stands in faults, and its folder
// is where relative paths of secrets start. The error is an *Error.
func Parse(name string, data []byte, specs []vendors.Spec, src Source) (*Config, error) {
	d := &decoder{file: name, src: src, specs: specs, lines: map[string]int{}, faulted: map[string]bool{}}
	cfg := defaults(name)
	for _, spec := range specs {
		cfg.Tables[spec.Name] = spec.Codes
	}
	root := d.parse(data)
	if len(d.faults) == 0 {
		keys := d.bind(cfg)
		keys["apps"] = key{read: d.apps(cfg.Apps)}
		keys["codes"] = key{read: d.codes(cfg.Tables)}
		d.mapping("", root, keys)
		d.check(cfg)
	}
	if len(d.faults) > 0 {
		return nil, newError(d.faults)
	}
	return cfg, nil
}

// parse returns the file's only document, nil for an empty one.
func (d *decoder) parse(data []byte) ast.Node {
	if why := text.Fault(data); why != "" {
		d.faultAt(firstBadLine(data), "", why)
		return nil
	}
	// A key that stands twice is reported by pairs, with both lines.
	file, err := parser.ParseBytes(text.TrimMark(data), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			d.faultAt(doc.Body.GetToken().Position.Line, "", "a second document begins here: a configuration is one")
			return nil
		}
		root = doc.Body
	}
	d.collectAnchors(root)
	return root
}

// firstBadLine is the line of the first byte that is not UTF-8; 0 if another
// encoding makes lines of its own.
func firstBadLine(data []byte) int {
	if text.Wide(data) != "" {
		return 0
	}
	line := 1
	for part := range bytes.Lines(data) {
		if !utf8.Valid(part) {
			break
		}
		line++
	}
	return line
}

// syntax reports what the parser said, without the source that it would quote.
func (d *decoder) syntax(err error) {
	line, message := 0, "cannot be parsed"
	if e, ok := errors.AsType[yaml.Error](err); ok {
		message = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
	}
	d.faultAt(line, "", "not YAML: "+httpx.Redact(message)+" (quote values with special characters, such as \"${VAR}\" inside { })")
}

func readSecret(path string) ([]byte, error) { return readFile(path, maxSecret) }

// readFile also reads pipes, such as a shell's <(…): so the limit is not the file's size.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, nil
}

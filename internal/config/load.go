package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// DefaultPath is read if neither a flag nor the environment names a file.
const DefaultPath = "./postrider.yaml"

// envPath is the variable that names the file.
const envPath = "POSTRIDER_CONFIG"

// Longer files are refused: they cannot be what they should be.
const (
	maxFile   = 1 << 20  // bytes of configuration
	maxSecret = 64 << 10 // bytes of one secret; private keys, the largest ones, have 4 kB
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

// Source provides the values that the file refers to.
type Source struct {
	// Env returns a variable; nil: there are no variables.
	Env func(name string) (value string, set bool)
	// ReadFile reads the file that a key such as password_file names; nil: there
	// are no files. Its error must not contain the secret.
	ReadFile func(path string) ([]byte, error)
}

// Load reads the file at path for the given vendors. Faults of its contents are
// an *Error. If the file cannot be read, it is another error that wraps the cause.
func Load(path string, specs []vendors.Spec, env func(string) (string, bool)) (*Config, error) {
	data, err := readFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read configuration: %w: create it (worker example > postrider.yaml), or name another file with --config or $%s", err, envPath)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data, specs, Source{Env: env, ReadFile: readSecret})
}

// Parse is Load for a file in memory. name is the file's name in faults; relative
// paths of secrets start at its folder. The error is an *Error.
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

// parse returns the file's only document; nil for an empty file.
func (d *decoder) parse(data []byte) ast.Node {
	if why := text.Fault(data); why != "" {
		d.faultAt(firstBadLine(data), "", why)
		return nil
	}
	// A duplicate key is reported by distinct, with both lines.
	file, err := parser.ParseBytes(text.TrimMark(data), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err, data)
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			d.faultAt(doc.Body.GetToken().Position.Line, "", "a second YAML document begins here: a configuration is a single document")
			return nil
		}
		root = doc.Body
	}
	d.collectAnchors(root)
	return root
}

// firstBadLine is the line of the first byte that is not UTF-8; 0 for an encoding
// whose line ends are not those of UTF-8.
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

// syntax adds a fault with the parser's message, without the source, which the
// parser would quote.
func (d *decoder) syntax(err error, data []byte) {
	line, message := 0, "cannot be parsed"
	if e, ok := errors.AsType[yaml.Error](err); ok {
		message = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
	}
	if tabIndented(data, line) {
		d.faultAt(line, "", "not YAML: the line is indented with a tab: use spaces only")
		return
	}
	d.faultAt(line, "", "not YAML: "+httpx.Redact(message)+" (quote values with special characters, such as \"${VAR}\" inside { })")
}

// tabIndented reports whether the line, counted from 1, starts with white space
// that contains a tab. The parser's message for it does not mention the tab.
func tabIndented(data []byte, line int) bool {
	n := 0
	for text := range bytes.Lines(data) {
		if n++; n == line {
			indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
			return bytes.ContainsRune(indent, '\t')
		}
	}
	return false
}

func readSecret(path string) ([]byte, error) { return readFile(path, maxSecret) }

// readFile also reads pipes, such as a shell's <(…), which have no size to check beforehand.
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

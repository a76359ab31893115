package vendortest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/postrider/postrider/pkg/push"
)

// path returns the path of a file of the vendor's testdata folder.
func (s *suite) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// has reports whether the vendor has a file.
func (s *suite) has(name string) bool {
	_, err := os.Stat(s.path(name))
	return err == nil
}

// read returns a file of the vendor's testdata folder. A missing file ends the check.
func (s *suite) read(name string) string {
	s.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		s.Fatalf("%v: every vendor needs this file, see the package comment of vendortest", err)
	}
	return string(b)
}

// lines returns the lines of a file.
func (s *suite) lines(name string) []string {
	s.Helper()
	return strings.Split(strings.TrimSpace(s.read(name)), "\n")
}

// names returns the names, without ext, of the files in a folder. If there are no
// such files, the check ends.
func (s *suite) names(folder, ext string) []string {
	s.Helper()
	paths, err := filepath.Glob(s.path(folder + "/*" + ext))
	if err != nil || len(paths) == 0 {
		s.Fatalf("%s has no %s/*%s (%v)", s.dir, folder, ext, err)
	}
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = strings.TrimSuffix(filepath.Base(p), ext)
	}
	return names
}

// golden compares a text with a file.
func (s *suite) golden(name, got string) {
	s.Helper()
	path := s.path(name)
	if s.update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			s.Fatalf("%v", err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			s.Fatalf("%v", err)
		}
	}
	want, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Errorf("%s is missing: run the test with -update, and review what it writes", path)
	case err != nil:
		s.Errorf("%v", err)
	case string(want) != got:
		s.Errorf("%s differs: got\n%swant\n%s\nIf that is right, run the test with -update", path, got, want)
	}
}

// message decodes a push.Message of a fixture.
func (s *suite) message(name string) *push.Message {
	s.Helper()
	m := new(push.Message)
	d := json.NewDecoder(strings.NewReader(s.read(name)))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		s.Fatalf("%s: decode message: %v", name, err)
	}
	if faults := s.spec.Check(m); len(faults) > 0 {
		s.Fatalf("%s: the message has faults: %v", name, faults)
	}
	return m
}

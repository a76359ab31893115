package intake_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// got is one target as Targets handed it on.
type got struct {
	line          int
	vendor, token string
}

// collect reads targets into a list.
func collect(text string) ([]got, error) {
	var all []got
	err := intake.Targets(strings.NewReader(text), func(line int, vendor, token []byte) error {
		all = append(all, got{line, string(vendor), string(token)})
		return nil
	})
	return all, err
}

// zipped is the text as gzip would have it in a file.
func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // into memory
	_ = z.Close()
	return b.String()
}

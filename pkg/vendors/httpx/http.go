package httpx

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// MaxAnswer is the longest answer that is read, in bytes: a partial failure
// that names 1,000 tokens of 4,096 bytes would have 4 MB; real ones have 200 kB.
const MaxAnswer = 8 << 20

// Reply is a vendor's HTTP answer.
type Reply struct {
	// Status is the HTTP status.
	Status int
	// Body is the whole body.
	Body []byte
	// RetryAfter is the wait that the Retry-After header asks for, or 0.
	RetryAfter time.Duration
}

// Do sends one HTTP request and reads its answer whole. Redirects are not
// followed. An error is a *vendors.Error with a transport code. It names no URL,
// since vendors put secrets there.
func Do(client *http.Client, op string, req *http.Request) (Reply, error) {
	x := newExchange(req)
	if err := req.Context().Err(); err != nil {
		x.unsent = true
		return Reply{}, x.failed(client, op, err)
	}
	resp, err := client.Do(x.request)
	if err != nil {
		return Reply{}, x.failed(client, op, err)
	}
	defer resp.Body.Close() //nolint:errcheck // the answer was read; a failed close changes nothing
	body, err := readAll(resp)
	if err != nil {
		return Reply{}, x.failed(client, op, err)
	}
	x.use.answered()
	if len(body) > MaxAnswer {
		return Reply{}, &vendors.Error{
			Op: op, Code: classify.Code{Level: classify.Transport, Code: classify.Oversized},
			Err: fmt.Errorf("HTTP %d with more than %d bytes", resp.StatusCode, MaxAnswer),
		}
	}
	return Reply{Status: resp.StatusCode, Body: body, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}, nil
}

// Post builds a POST request. net/http repeats it by itself only if an idle
// connection turns out to be closed before a byte of the request was written.
func Post(ctx context.Context, op, address, contentType string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, vendors.UnsentError(op, cause(err, errAddress))
	}
	req.Header.Set("Content-Type", contentType)
	return req, nil
}

func readAll(resp *http.Response) ([]byte, error) {
	var body []byte
	var err error
	if n := resp.ContentLength; n >= 0 && n <= MaxAnswer {
		body = make([]byte, n)
		_, err = io.ReadFull(resp.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	}
	if err == nil {
		// A server that sees the client close the connection may still end its answer
		// properly, or send an empty one.
		err = resp.Request.Context().Err()
	}
	return body, err
}

// retryAfter reads seconds or an HTTP date. Anything else, or the past, is 0.
func retryAfter(header string, now time.Time) time.Duration {
	if header == "" {
		return 0
	}
	if n, err := strconv.Atoi(header); err == nil && n > 0 {
		return time.Duration(min(n, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return min(at.Sub(now), 24*time.Hour)
	}
	return 0
}

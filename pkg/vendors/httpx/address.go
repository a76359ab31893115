package httpx

import (
	"net"
	"net/url"
	"strings"

	"github.com/postrider/postrider/pkg/push"
)

// CheckAddress reports what is wrong with a base URL (scheme and host only) or,
// if whole is true, with a full URL. "" is valid: it means the vendor's own
// address. Plain http is only for loopback hosts.
func CheckAddress(field, address string, whole bool) []push.Fault {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http":
		return []push.Fault{{Field: field, Reason: "is not a URL: write it like https://host or http://127.0.0.1:8081"}}
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return []push.Fault{{Field: field, Reason: "must not contain a user, a query or a fragment"}}
	case !whole && strings.Trim(u.Path, "/") != "":
		return []push.Fault{{Field: field, Reason: "replaces scheme and host only: leave out the path"}}
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return []push.Fault{{Field: field, Reason: "plain http is accepted for loopback hosts only: use https"}}
	}
	return nil
}

// Loopback reports whether a host name means this machine.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// BaseURL returns own without a trailing slash, or the vendor's if own is empty.
func BaseURL(own, vendors string) string {
	if own == "" {
		return vendors
	}
	return strings.TrimRight(own, "/")
}

package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/postrider/postrider/internal/simulator"
)

// targets returns the number of Prometheus's targets, or an error unless all are up.
func targets(ctx context.Context, base string) (up int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/targets?state=active", http.NoBody)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			ActiveTargets []struct{ Health string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, err
	}
	for _, t := range answer.Data.ActiveTargets {
		if t.Health != "up" {
			return 0, fmt.Errorf("a target is %s", t.Health)
		}
		up++
	}
	return up, nil
}

// faultCounts lists how often each fault occurred, over all vendors.
func faultCounts(all map[string]simulator.VendorReport) string {
	counts := map[string]int64{}
	for _, v := range all {
		for name, n := range v.Faults {
			counts[name] += n
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s %d, ", name, counts[name])
	}
	return strings.TrimSuffix(b.String(), ", ")
}

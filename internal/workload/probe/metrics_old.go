//go:build !go1.16
// +build !go1.16

package probe

// Releases before Go 1.16 have no package runtime/metrics.

func threadMetric() (uint64, bool) { return 0, false }

// ReadMetrics reads metrics by name, whether this release has them or not.
func ReadMetrics(names []string) []Metric {
	list := make([]Metric, len(names))
	for i, name := range names {
		list[i] = Metric{Name: name, Kind: "unsupported"}
	}
	return list
}

// MetricNames lists all metrics of this release; false = it has no package runtime/metrics.
func MetricNames() ([]string, bool) { return nil, false }

// SchedLatencies is the histogram of how long goroutines were runnable before they ran, in seconds;
// false = this release does not have it.
func SchedLatencies() (Histogram, bool) { return Histogram{}, false }

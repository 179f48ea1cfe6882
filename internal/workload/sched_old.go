//go:build !go1.16
// +build !go1.16

package workload

// Releases before 1.16 have no package runtime/metrics.

func threadMetric() (uint64, bool) { return 0, false }

func readMetrics(names []string) []Metric {
	list := make([]Metric, len(names))
	for i, name := range names {
		list[i] = Metric{Name: name, Kind: "unsupported"}
	}
	return list
}

func metricNames() ([]string, bool) { return nil, false }

func schedLatencies() (Histogram, bool) { return Histogram{}, false }

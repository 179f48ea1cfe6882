//go:build go1.16
// +build go1.16

package probe

import "runtime/metrics"

// threadMetric is the number of threads in runtime/metrics; false = this release does not have it.
func threadMetric() (uint64, bool) {
	s := []metrics.Sample{{Name: "/sched/threads/total:threads"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0, false
	}
	return s[0].Value.Uint64(), true
}

// ReadMetrics reads metrics by name, whether this release has them or not.
func ReadMetrics(names []string) []Metric {
	list := make([]Metric, len(names))
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	for i, s := range samples {
		list[i] = Metric{Name: s.Name, Kind: "unsupported"}
		switch s.Value.Kind() {
		case metrics.KindUint64:
			n := s.Value.Uint64()
			list[i].Kind, list[i].Uint64 = "uint64", &n
		case metrics.KindFloat64:
			x := s.Value.Float64()
			list[i].Kind, list[i].Float64 = "float64", &x
		case metrics.KindFloat64Histogram:
			list[i].Kind = "histogram"
		}
	}
	return list
}

// MetricNames lists all metrics of this release; false = it has no package runtime/metrics.
func MetricNames() ([]string, bool) {
	var names []string
	for _, d := range metrics.All() {
		names = append(names, d.Name)
	}
	return names, true
}

// SchedLatencies is the histogram of how long goroutines were runnable before they ran, in seconds;
// false = this release does not have it.
func SchedLatencies() (Histogram, bool) {
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return Histogram{}, false
	}
	h := s[0].Value.Float64Histogram()
	return Histogram{Buckets: append([]float64{}, h.Buckets...), Counts: append([]uint64{}, h.Counts...)}, true
}

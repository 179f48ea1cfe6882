package probe

// Metric is a value of runtime/metrics.
type Metric struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // uint64, float64, histogram; unsupported: this release has no such metric
	Uint64  *uint64  `json:"uint64,omitempty"`
	Float64 *float64 `json:"float64,omitempty"`
}

// Histogram is a histogram of runtime/metrics: Counts[i] values are in [Buckets[i], Buckets[i+1]).
type Histogram struct {
	Buckets []float64
	Counts  []uint64
}

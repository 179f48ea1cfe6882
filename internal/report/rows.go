package report

import "encoding/json"

// Verdict is the verdict of the window on one cost of the specification, with bounds joined.
type Verdict struct {
	Statement string   `json:"statement"`
	Phase     string   `json:"phase"`
	Claim     string   `json:"claim"`
	RangeNS   [2]int64 `json:"range_ns"`
	Verdict   string   `json:"verdict"` // a contract.Word
	Holds     bool     `json:"holds"`
	N         int64    `json:"n"`
}

// Cost is the distribution of one phase over one population. Statistics are nil when n is 0.
type Cost struct {
	ID     string   `json:"id"`
	Phase  string   `json:"phase"`
	Locked Ternary  `json:"locked"`
	Cause  *string  `json:"cause"`
	State  *string  `json:"state"`
	Unit   string   `json:"unit"`
	N      int64    `json:"n"`
	Mean   *float64 `json:"mean"`
	Min    *int64   `json:"min"`
	P50    *int64   `json:"p50"`
	P90    *int64   `json:"p90"`
	P99    *int64   `json:"p99"`
	P999   *int64   `json:"p999"`
	Max    *int64   `json:"max"`
	OffCPU *float64 `json:"offcpu_ns"`
	Bias   *float64 `json:"bias_ns"`
	Bound  *string  `json:"bound"`

	Unfinished uint64     `json:"unfinished"`
	Star       bool       `json:"star"`
	RangeNS    *[2]int64  `json:"range_ns"`
	Verdict    *string    `json:"verdict"`
	Holds      *bool      `json:"verdict_holds"`
	InRange    *float64   `json:"in_range_fraction"`
	Hist       [][2]int64 `json:"hist"`
	Warnings   []string   `json:"warnings"`
}

// Ternary is a population along a yes-or-no dimension: "true", "false", "unknown", or "" for all
// samples. In JSON they are true, false, "unknown" and null.
type Ternary string

// MarshalJSON implements json.Marshaler.
func (t Ternary) MarshalJSON() ([]byte, error) {
	switch t {
	case "":
		return []byte("null"), nil
	case "true", "false":
		return []byte(t), nil
	}
	return json.Marshal(string(t))
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Ternary) UnmarshalJSON(b []byte) error {
	switch s := string(b); s {
	case "null":
		*t = ""
	case "true", "false":
		*t = Ternary(s)
	default:
		return json.Unmarshal(b, (*string)(t))
	}
	return nil
}

package report

import (
	_ "embed"
	"io"
)

// ComparedID is the value of the key "schema" of a comparison.
const ComparedID = "pinwatch.compare/v1"

// ComparedSchema is the JSON Schema (2020-12) that every comparison follows.
//
//go:embed compare-v1.schema.json
var ComparedSchema []byte

// Compared compares the runs of one side, the old one, with those of others. Package compare makes
// it. The schema gives the meaning of each key.
type Compared struct {
	Schema     string         `json:"schema"`
	Pinwatch   Pinwatch       `json:"pinwatch"`
	Method     ComparedMethod `json:"method"`
	Old        ComparedSide   `json:"old"`
	New        []ComparedNew  `json:"new"`
	Compared   int            `json:"compared"`
	NeedRuns   int            `json:"need_runs"`
	Conclusive bool           `json:"conclusive"`
	Warnings   []string       `json:"warnings"`
}

// ComparedMethod is how the numbers were made.
type ComparedMethod struct {
	Unit       string  `json:"unit_of_analysis"`
	Estimate   string  `json:"estimate"`
	Test       string  `json:"test"`
	Correction string  `json:"correction"`
	Alpha      float64 `json:"alpha"`
	Interval   string  `json:"interval"`
	Confidence float64 `json:"confidence"`
	Resamples  int     `json:"resamples"`
	Seed       int     `json:"seed"`
	Power      float64 `json:"power"`
}

// ComparedSide is one side of a comparison.
type ComparedSide struct {
	Name        string                    `json:"name"`
	Runs        int                       `json:"runs"`
	LeftOut     []LeftOut                 `json:"left_out"`
	Environment map[string]map[string]int `json:"environment"` // runs by value
}

// LeftOut is a report that no number is made of.
type LeftOut struct {
	Where string `json:"where"`
	Why   string `json:"why"`
}

// ComparedNew is a new side, and how it differs from the old one.
type ComparedNew struct {
	ComparedSide
	Heading    []string       `json:"heading"`
	Conclusive bool           `json:"conclusive"`
	Differs    []string       `json:"differs"`
	Costs      []ComparedCost `json:"costs"`
	TooFew     int            `json:"too_few_runs"`
	Warnings   []string       `json:"warnings"`
}

// ComparedCost is one statistic of one cost over one population on both sides.
type ComparedCost struct {
	ID        string  `json:"id"`
	Phase     *string `json:"phase"`
	Bound     *string `json:"bound"`
	Locked    Ternary `json:"locked"`
	Cause     *string `json:"cause"`
	State     *string `json:"state"`
	Statistic string  `json:"statistic"` // p50, p99, value
	Unit      string  `json:"unit"`

	Old       ComparedRuns `json:"old"`
	New       ComparedRuns `json:"new"`
	Change    float64      `json:"change"`
	Lo        float64      `json:"change_lo"`
	Hi        float64      `json:"change_hi"`
	P         float64      `json:"p"`
	PAdjusted float64      `json:"p_adjusted"`
	Shown     bool         `json:"shown"`
	Smallest  *float64     `json:"smallest_shown"` // nil: so few runs show nothing
	RunsFor5  *int         `json:"runs_for_5_percent"`
}

// ComparedRuns are the values of the runs of one side.
type ComparedRuns struct {
	Runs    int       `json:"runs"`
	Samples int64     `json:"samples"` // of all runs
	Median  float64   `json:"median"`  // of the values
	Values  []float64 `json:"values"`  // one for each run, in the order of the runs
}

// Whole is true of a cost over all samples.
func (c *ComparedCost) Whole() bool { return c.Locked == "" && c.Cause == nil && c.State == nil }

// Shown counts the costs that changed.
func (n *ComparedNew) Shown() (shown int) {
	for i := range n.Costs {
		if n.Costs[i].Shown {
			shown++
		}
	}
	return shown
}

// WriteComparedJSON writes a comparison as one indented JSON object and a newline.
func WriteComparedJSON(w io.Writer, c *Compared) error { return writeJSON(w, c, "  ") }

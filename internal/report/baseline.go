package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// BaselineSchemaID is the value of the key "schema" of a baseline.
const BaselineSchemaID = "pinwatch.baseline/v1"

// Baseline is a list of verdicts without their evidence. It is small enough to be kept beside the
// source and read as a diff.
type Baseline struct {
	Schema    string            `json:"schema"`
	Pinwatch  string            `json:"pinwatch"`
	GoVersion string            `json:"go_version"`
	Host      string            `json:"host"`
	HostClass string            `json:"host_class"` // "" = of an older pinwatch
	Settings  map[string]string `json:"settings"`   // of the Go runtime, handed to the workloads
	Finished  string            `json:"finished"`
	Verdicts  map[string]string `json:"verdicts"` // by statement
}

// baseline keeps the parts of verdicts that later ones are compared with.
func (v *Verdicts) baseline() *Baseline {
	b := &Baseline{Schema: BaselineSchemaID, Pinwatch: v.Pinwatch.Version, GoVersion: v.GoVersion, Host: v.Where(),
		HostClass: v.Host.Class(), Settings: v.Environment.Settings, Finished: v.Finished, Verdicts: map[string]string{}}
	for i := range v.Verdicts {
		b.Verdicts[v.Verdicts[i].ID] = v.Verdicts[i].Verdict
	}
	return b
}

// Where describes the machine on one line.
func (v *Verdicts) Where() string { return strings.Join(v.Host.Words(), " · ") }

// WriteVerdictsBaseline writes one indented JSON object for each release of Go.
func WriteVerdictsBaseline(w io.Writer, vs []*Verdicts) error {
	for _, v := range vs {
		if err := writeJSON(w, v.baseline(), "  "); err != nil {
			return err
		}
	}
	return nil
}

// ReadBaseline reads the verdicts of one release, from a baseline or from the whole list.
func ReadBaseline(text []byte) (*Baseline, error) {
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("not the verdicts of one release in JSON: %w", err)
	}
	b := &Baseline{}
	var err error
	switch head.Schema {
	case BaselineSchemaID:
		err = json.Unmarshal(text, b)
	case VerdictsSchemaID:
		var v Verdicts
		err = json.Unmarshal(text, &v)
		b = v.baseline()
	default:
		return nil, fmt.Errorf("its schema is %q, this pinwatch compares %s and %s only: make a new baseline",
			head.Schema, BaselineSchemaID,
			VerdictsSchemaID)
	}
	if err == nil && len(b.Verdicts) == 0 {
		err = fmt.Errorf("it has no verdicts")
	}
	return b, err
}

// Change returns the baseline's verdict on a statement, "" for none, and whether the new verdict
// differs. A change from or to a verdict that is not conclusive does not count.
func (b *Baseline) Change(row *StatementVerdict) (was string, changed bool) {
	was = b.Verdicts[row.ID]
	return was, was != "" && was != row.Verdict && contract.Conclusive(was) && contract.Conclusive(row.Verdict)
}

package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
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
	Verdicts  byStatement       `json:"verdicts"`
}

// byStatement are verdicts by the id of their statement.
type byStatement map[string]string

// UnmarshalJSON refuses a statement that is there twice, as after a merge: encoding/json would take
// the last.
func (m *byStatement) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, (*map[string]string)(m)); err != nil {
		return err
	}
	seen := map[json.Token]bool{}
	dec := json.NewDecoder(bytes.NewReader(text))
	for i := 0; ; i++ { // a brace, and then names and values in turn
		token, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case i%2 == 1 && seen[token]:
			return errTwice(token)
		case i%2 == 1:
			seen[token] = true
		}
	}
}

func errTwice(id any) error { return fmt.Errorf("it has two verdicts on %v", id) }

// baseline keeps the parts of verdicts that later ones are compared with.
func (v *Verdicts) baseline() *Baseline {
	b := &Baseline{Schema: BaselineSchemaID, Pinwatch: v.Pinwatch.Version, GoVersion: v.GoVersion, Host: v.Where(),
		HostClass: v.Host.Class(), Settings: v.Environment.Settings, Finished: v.Finished, Verdicts: map[string]string{}}
	for i := range v.Verdicts {
		if row := &v.Verdicts[i]; !v.NotDone(row) { // else later runs would be compared with nothing
			b.Verdicts[row.ID] = row.Verdict
		}
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
		for i := range v.Verdicts {
			id := v.Verdicts[i].ID
			if slices.ContainsFunc(v.Verdicts[:i], func(r StatementVerdict) bool { return r.ID == id }) {
				return nil, errTwice(id)
			}
		}
	default:
		return nil, fmt.Errorf("its schema is %q, this pinwatch compares %s and %s only: make a new baseline",
			head.Schema, BaselineSchemaID, VerdictsSchemaID)
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

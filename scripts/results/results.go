// Package results keeps the verdicts of pinwatch verify on releases of Go and on kernels: a page of
// evidence and a summary for each, and tables with a column for each in docs/results.md.
package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// The tables are in document, the columns' files below folder, relative to the top of the tree.
const (
	document = "docs/results.md"
	folder   = "docs/results"
)

// NotRun is the verdict on a statement that a column's run did not reach, or of a column without a
// run.
const NotRun = "not_run"

// Verdicts are pinwatch verify's on one release of Go and one kernel.
type Verdicts = report.Verdicts

// Column is a release of Go or a kernel.
type Column struct {
	Key   string // its files' name: go1.21
	Title string // of a column without a run; a run has its own
}

// Summary is the part of a run that the tables show.
type Summary struct {
	Title       string            `json:"title"`
	GoVersion   string            `json:"go_version"`
	Kernel      string            `json:"kernel"`
	Machine     string            `json:"machine"`  // kvm, qemu, …: as the report's host.virtualization
	Finished    string            `json:"finished"` // RFC 3339
	Pinwatch    string            `json:"pinwatch"`
	Interrupted bool              `json:"interrupted"` // the time allowed was over before all was done
	Verdicts    map[string]string `json:"verdicts"`    // by statement; NotRun as well
	Wrong       []Wrong           `json:"wrong,omitempty"`
}

// Summarize makes the summary of a run.
func Summarize(title string, v *Verdicts) Summary {
	s := Summary{
		Title: title, GoVersion: v.GoVersion, Machine: v.Host.Virtualization, Finished: v.Finished,
		Pinwatch: v.Pinwatch.Version, Interrupted: v.Interrupted, Verdicts: map[string]string{}, Wrong: wrongs(v),
	}
	if v.Host.Kernel != nil {
		s.Kernel = *v.Host.Kernel
	}
	for i := range v.Verdicts {
		s.Verdicts[v.Verdicts[i].ID] = word(v, &v.Verdicts[i])
	}
	return s
}

// word is a row's verdict, or NotRun where the run ended before its experiments had been done.
func word(v *Verdicts, row *report.StatementVerdict) string {
	if v.NotDone(row) {
		return NotRun
	}
	return row.Verdict
}

// Decode reads what pinwatch verify -o json prints for one release.
func Decode(b []byte) (*Verdicts, error) {
	v := &Verdicts{}
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("read verdicts: %w", err)
	}
	if v.Schema != report.VerdictsSchemaID {
		return nil, fmt.Errorf("read verdicts: their schema is %q, want %s", v.Schema, report.VerdictsSchemaID)
	}
	return v, nil
}

// Join joins the parts of a run, which have different statements. The time of the last part's end
// is the run's.
func Join(parts []*Verdicts) *Verdicts {
	all := *parts[len(parts)-1]
	all.Verdicts = nil
	for _, p := range parts {
		all.Interrupted = all.Interrupted || p.Interrupted
		all.Verdicts = append(all.Verdicts, p.Verdicts...)
	}
	place := map[string]int{}
	for i, st := range contract.Statements() {
		place[st.ID] = i
	}
	slices.SortStableFunc(all.Verdicts, func(a, b report.StatementVerdict) int { return place[a.ID] - place[b.ID] })
	return &all
}

// CanKeep returns the error that Show would return because of the document. Call it before a long
// run.
func CanKeep(block string) error { return measure.CanReplace(document, "results:"+block) }

// Keep replaces a column's summary and page. The command made the run.
func Keep(c Column, title, command string, v *Verdicts) error {
	s := Summarize(title, v)
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, c.Key+".json"), append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, c.Key+".md"), []byte(page(s, command, v)), 0o644)
}

// Show puts the tables of all columns into their block of the document.
func Show(block string, columns []Column) error {
	summaries := make([]Summary, len(columns))
	for i, c := range columns {
		var err error
		if summaries[i], err = Kept(c); err != nil {
			return err
		}
	}
	return measure.Replace(document, "results:"+block, Tables(columns, summaries, filepath.Base(folder)+"/"))
}

// Kept reads a column's summary. A column without a run has only its title.
func Kept(c Column) (Summary, error) {
	b, err := os.ReadFile(filepath.Join(folder, c.Key+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Summary{Title: c.Title}, nil
	}
	if err != nil {
		return Summary{}, err
	}
	s := Summary{}
	if err := json.Unmarshal(b, &s); err != nil {
		return Summary{}, fmt.Errorf("%s.json: %w", c.Key, err)
	}
	return s, nil
}

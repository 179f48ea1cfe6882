package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
)

// verdictWriters are the formats of verify.
var verdictWriters = map[string]func(io.Writer, []*report.Verdicts, report.TextOptions) error{
	"text": report.WriteVerdictsText,
	"json": func(w io.Writer, vs []*report.Verdicts, _ report.TextOptions) error {
		return report.WriteVerdictsJSON(w, vs)
	},
	"junit": func(w io.Writer, vs []*report.Verdicts, _ report.TextOptions) error {
		return report.WriteVerdictsJUnit(w, vs)
	},
	"markdown": func(w io.Writer, vs []*report.Verdicts, _ report.TextOptions) error {
		return report.WriteVerdictsMarkdown(w, vs)
	},
	"html": func(w io.Writer, vs []*report.Verdicts, _ report.TextOptions) error {
		return report.WriteVerdictsHTML(w, vs)
	},
}

// readBaseline reads the verdicts that --expect compares with.
func readBaseline(name string) (*report.Verdicts, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--expect: %w", err)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("--expect %s: not the verdicts of one release in JSON: %w", name, err)
	}
	if head.Schema != report.VerdictsSchemaID {
		return nil, fmt.Errorf("--expect %s: its schema is %q, this pinwatch compares %s only: make the baseline anew", name, head.Schema, report.VerdictsSchemaID)
	}
	v := &report.Verdicts{}
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("--expect %s: %w", name, err)
	}
	return v, nil
}

// compareVerdicts tells where verdicts are not as expected. An inconclusive one contradicts nothing: it is told, and no change.
func compareVerdicts(s streams, expect *report.Verdicts, all []*report.Verdicts) error {
	changed := 0
	for _, v := range all {
		for _, row := range v.Verdicts {
			i := slices.IndexFunc(expect.Verdicts, func(e report.StatementVerdict) bool { return e.ID == row.ID })
			switch {
			case i < 0:
				fmt.Fprintf(s.err, "pinwatch: %s (%s): %s, which the baseline does not have\n", row.ID, v.GoVersion, row.Verdict)
			case expect.Verdicts[i].Verdict == row.Verdict:
			case row.Verdict == contract.Inconclusive:
				fmt.Fprintf(s.err, "pinwatch: %s (%s): inconclusive, was %s: %s\n", row.ID, v.GoVersion, expect.Verdicts[i].Verdict, row.Why)
			default:
				changed++
				fmt.Fprintf(s.err, "pinwatch: %s (%s): %s, was %s: %s\n", row.ID, v.GoVersion, row.Verdict, expect.Verdicts[i].Verdict, row.Got)
			}
		}
	}
	if changed > 0 {
		return status(exitContract)
	}
	return nil
}

// keptFile is where verify leaves its verdicts for explain, statement by statement the last one.
func keptFile() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "pinwatch", "verdicts.json"), nil
}

func readKept() (map[string]*report.Verdicts, error) {
	name, err := keptFile()
	if err != nil {
		return nil, err
	}
	kept := map[string]*report.Verdicts{}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	return kept, err
}

// keepVerdicts keeps each verdict with its machine and time. Interrupted runs keep what they have decided.
func keepVerdicts(all []*report.Verdicts) error {
	kept, err := readKept()
	if err != nil {
		kept = map[string]*report.Verdicts{} // what can't be read is replaced
	}
	for _, v := range all {
		for _, row := range v.Verdicts {
			if v.Interrupted && row.Verdict == contract.Inconclusive {
				continue
			}
			one := *v
			one.Verdicts = []report.StatementVerdict{row}
			kept[row.ID] = &one
		}
	}
	name, err := keptFile()
	if err != nil {
		return err
	}
	b, err := json.Marshal(kept)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o755)
	}
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "verdicts-*") // replaced as a whole, or not at all
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// lastVerdicts is the last verdict on a statement; nil without one.
func lastVerdicts(id string) (*report.Verdicts, error) {
	kept, err := readKept()
	return kept[id], err
}

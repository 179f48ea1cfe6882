package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

// verdictWriters are the formats of verify. expect is nil without a baseline.
var verdictWriters = map[string]func(w io.Writer, vs []*report.Verdicts, expect *report.Baseline, o text.Options) error{
	"text": func(w io.Writer, vs []*report.Verdicts, _ *report.Baseline, o text.Options) error {
		return text.WriteVerdicts(w, vs, o)
	},
	"json": func(w io.Writer, vs []*report.Verdicts, _ *report.Baseline, _ text.Options) error {
		return report.WriteVerdictsJSON(w, vs)
	},
	"baseline": func(w io.Writer, vs []*report.Verdicts, _ *report.Baseline, _ text.Options) error {
		return report.WriteVerdictsBaseline(w, vs)
	},
	"junit": func(w io.Writer, vs []*report.Verdicts, expect *report.Baseline, _ text.Options) error {
		return report.WriteVerdictsJUnit(w, vs, expect)
	},
	"markdown": func(w io.Writer, vs []*report.Verdicts, _ *report.Baseline, _ text.Options) error {
		return report.WriteVerdictsMarkdown(w, vs)
	},
	"html": func(w io.Writer, vs []*report.Verdicts, _ *report.Baseline, _ text.Options) error {
		return report.WriteVerdictsHTML(w, vs)
	},
}

// readBaseline reads the verdicts that --expect compares with.
func readBaseline(name string) (*report.Baseline, error) {
	if name == "" {
		return nil, usagef("--expect needs a file name")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--expect: %w", err)
	}
	b, err := report.ReadBaseline(text)
	if err != nil {
		return nil, fmt.Errorf("--expect %s: %w", name, err)
	}
	return b, nil
}

// compareVerdicts prints each verdict that is not as expected, and in a last line how many there
// are. An interrupted run is not as expected either.
func compareVerdicts(s streams, expect *report.Baseline, all []*report.Verdicts) error {
	same, changed, undecided, missing, undone := 0, 0, 0, 0, 0
	interrupted := len(all) == 0
	elsewhere := ""
	for _, v := range all {
		interrupted = interrupted || v.Interrupted
		if v.GoVersion != expect.GoVersion || v.Where() != expect.Host {
			elsewhere = fmt.Sprintf(" It was made with %s on %s; this is %s on %s.",
				expect.GoVersion, expect.Host, v.GoVersion, v.Where())
		}
		for i := range v.Verdicts {
			row := &v.Verdicts[i]
			was, is := expect.Change(row)
			switch {
			case v.NotDone(row):
				undone++
			case was == "":
				missing++
				fmt.Fprintf(s.err, "pinwatch: %s (%s): %s, which the baseline does not have\n",
					row.ID, v.GoVersion, report.Words(row.Verdict))
			case is:
				changed++
				fmt.Fprintf(s.err, "pinwatch: %s (%s): CHANGED to %s, was %s: %s: %s\n",
					row.ID, v.GoVersion, report.Words(row.Verdict), report.Words(was), row.Got, row.Why)
			case was == row.Verdict:
				same++
			default:
				undecided++
				fmt.Fprintf(s.err, "pinwatch: %s (%s): %s, was %s: %s\n",
					row.ID, v.GoVersion, report.Words(row.Verdict), report.Words(was), row.Why)
			}
		}
	}
	parts := []string{fmt.Sprintf("%d as in the baseline", same), fmt.Sprintf("%d changed", changed)}
	if undecided > 0 {
		parts = append(parts, fmt.Sprintf("%d inconclusive in one of them", undecided))
	}
	if missing > 0 {
		parts = append(parts, fmt.Sprintf("%d not in the baseline", missing))
	}
	if undone > 0 {
		parts = append(parts, fmt.Sprintf("%d not run, because it was interrupted", undone))
	}
	if changed == 0 {
		elsewhere = ""
	}
	fmt.Fprintf(s.err, "pinwatch: verdicts: %s.%s\n", strings.Join(parts, ", "), elsewhere)
	switch {
	case changed > 0:
		return status(exitContract)
	case interrupted:
		return status(exitInconclusive)
	}
	return nil
}

// keptFile is the file in which verify keeps its verdicts for explain: the last one of each
// statement.
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

// keepVerdicts keeps each verdict with its machine and time. An interrupted run keeps the verdicts
// it has reached.
func keepVerdicts(all []*report.Verdicts) error {
	kept, err := readKept()
	if err != nil {
		kept = map[string]*report.Verdicts{} // an unreadable file is replaced
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

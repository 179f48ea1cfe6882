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
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

// verdictWriters are the formats of verify. The comparison is nil without a baseline.
var verdictWriters = map[string]func(w io.Writer, vs []*report.Verdicts, c *report.Comparison, o text.Options) error{
	"text": func(w io.Writer, vs []*report.Verdicts, _ *report.Comparison, o text.Options) error {
		return text.WriteVerdicts(w, vs, o)
	},
	"json": func(w io.Writer, vs []*report.Verdicts, _ *report.Comparison, _ text.Options) error {
		return report.WriteVerdictsJSON(w, vs)
	},
	"baseline": func(w io.Writer, vs []*report.Verdicts, _ *report.Comparison, _ text.Options) error {
		return report.WriteVerdictsBaseline(w, vs)
	},
	"junit": func(w io.Writer, vs []*report.Verdicts, c *report.Comparison, _ text.Options) error {
		return report.WriteVerdictsJUnit(w, vs, c)
	},
	"markdown": func(w io.Writer, vs []*report.Verdicts, _ *report.Comparison, _ text.Options) error {
		return report.WriteVerdictsMarkdown(w, vs)
	},
	"html": func(w io.Writer, vs []*report.Verdicts, _ *report.Comparison, _ text.Options) error {
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
	if !isCommit(b.Pinwatch) {
		return nil, fmt.Errorf("--expect %s: it was made by pinwatch %q, which is no commit: make it again with a "+
			"clean build", name, b.Pinwatch)
	}
	return b, nil
}

// isCommit is true for the version of a build that a commit gives again. git describe --dirty and the
// go command (+dirty) mark one with changes; devel is one without a version.
func isCommit(version string) bool {
	return version != "" && version != "devel" && !strings.Contains(version, "dirty")
}

// compareVerdicts prints what is not as in the baseline, and in a last line how many verdicts are.
func compareVerdicts(s streams, expect *report.Baseline, c *report.Comparison, all []*report.Verdicts) error {
	for _, d := range c.Changed {
		fmt.Fprintf(s.err, "pinwatch: %s (%s): CHANGED to %s, was %s: %s: %s\n",
			d.Row.ID, d.GoVersion, report.Words(d.Row.Verdict), report.Words(d.Was), d.Row.Got, d.Row.Why)
	}
	for _, d := range slices.Concat(c.Lost, c.Open) {
		fmt.Fprintf(s.err, "pinwatch: %s (%s): %s, was %s: %s\n",
			d.Row.ID, d.GoVersion, report.Words(d.Row.Verdict), report.Words(d.Was), d.Row.Why)
	}
	for _, p := range c.Problems {
		fmt.Fprintf(s.err, "pinwatch: --expect: %s\n", p)
	}
	parts := []string{fmt.Sprintf("%d as in the baseline", c.Same), fmt.Sprintf("%d changed", len(c.Changed))}
	for _, part := range []struct {
		n     int
		words string
	}{
		{len(c.Lost), "became inconclusive"}, {len(c.Open), "not decided in one of them"},
		{len(c.New), "not in the baseline"}, {c.NotRun, "not run, because it was interrupted"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.words))
		}
	}
	elsewhere := ""
	for _, v := range all {
		if len(c.Changed) > 0 && (v.GoVersion != expect.GoVersion || v.Where() != expect.Host) {
			elsewhere = fmt.Sprintf(" It was made with %s on %s; this is %s on %s.",
				expect.GoVersion, expect.Host, v.GoVersion, v.Where())
		}
	}
	fmt.Fprintf(s.err, "pinwatch: verdicts: %s.%s\n", strings.Join(parts, ", "), elsewhere)
	switch {
	case c.Failed():
		return status(exitContract)
	case c.Interrupted:
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

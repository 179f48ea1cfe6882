package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
)

// reportsIn writes a directory of reports in which creating a thread takes about so long.
func reportsIn(t *testing.T, name string, runs int, ns float64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range runs {
		var b bytes.Buffer
		cost := reporttest.Around(correlate.Cost{ID: "P-8", Phase: "total"}, 200, ns*(1+0.002*float64(i)), 0.2)
		r := report.New(report.Meta{Version: "devel"}, &correlate.Result{Costs: []correlate.Cost{cost}})
		r.Target.PID = i
		if err := report.WriteJSON(&b, r); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%d.json", dir, i), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCompare(t *testing.T) {
	old, dearer, few := reportsIn(t, "old", 8, 30_000), reportsIn(t, "new", 8, 40_000), reportsIn(t, "few", 2, 30_000)
	for _, c := range []struct {
		args, words string
		code        int
	}{
		{old + " " + dearer, "creating a thread got 3|dearer (|method", exitOK},
		{"-o markdown " + old + " " + dearer, "**creating a thread got 3|| P-8 total p50 |", exitOK},
		{"-o benchfmt " + old + " " + dearer, "side: old|BenchmarkP-8/phase=total 1 |p50-ns", exitOK},
		{old + " " + old, "nothing changed that 8 runs can show|is OLD itself", exitOK},
		{old + " " + few, "nothing can be concluded from 8 and 2 runs: 6 runs of each side are needed", exitInconclusive},
		{old + " " + dearer + " " + few, "got 3|nothing can be concluded", exitInconclusive},
	} {
		code, stdout, stderr := pinwatch(t, append([]string{"compare"}, strings.Fields(c.args)...)...)
		if code != c.code || (stderr != "") != (c.code != exitOK) {
			t.Errorf("%s: exit code %d, want %d: %s", c.args, code, c.code, stderr)
		}
		for _, word := range strings.Split(c.words, "|") {
			if !strings.Contains(stdout, word) {
				t.Errorf("%s: no %q in\n%s", c.args, word, stdout)
			}
		}
	}
	_, stdout, _ := pinwatch(t, "compare", "-o", "json", old, dearer)
	var c report.Compared
	if err := schematest.CheckCompared([]byte(stdout)); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(stdout), &c); err != nil || !c.Conclusive || c.New[0].Shown() != 2 {
		t.Errorf("%v: %s", err, stdout)
	}
	wrong(t, exitError, []string{"no such file"}, "compare", old, old+"/missing")
	wrong(t, exitUsage, []string{"OLD and NEW"}, "compare", old)
	wrong(t, exitUsage, []string{"-o xml", "markdown"}, "compare", "-o", "xml", old, dearer)
	wrong(t, exitUsage, []string{"-v: put flags before OLD"}, "compare", old, dearer, "-v")
}

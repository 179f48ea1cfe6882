package text_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func checked() *report.Check {
	ptr, why := reporttest.Ptr[float64], reporttest.Ptr[string]
	return &report.Check{Budget: "ci/pinwatch.yaml", Subject: "report.json", Verdict: report.BudgetBroken, Broken: 3,
		Undecided: 2, Held: 2, Checks: []report.BudgetLine{
			{Metric: "P-8.total.p99", Budget: "<= 80us", Unit: "ns", AtLeast: ptr(3_948_543), AtMost: ptr(3_948_543),
				Verdict: report.BudgetBroken, Beyond: ptr(3_868_543), Limit: ptr(80_000), Line: 3, Column: 1},
			{Metric: "X-handoff.cpu.locked=true.p99", Budget: "< 10us", Unit: "ns", AtLeast: ptr(15_000),
				Verdict: report.BudgetBroken, Beyond: ptr(5_000), Limit: ptr(10_000), Line: 4, Column: 1,
				Why: why("the report has a bound of this cost only")},
			{Metric: "threads_exited_locked", Executable: why("wörker\x1b[2J"), Budget: "0", AtLeast: ptr(1234567),
				AtMost: ptr(1234567), Verdict: report.BudgetBroken, Beyond: ptr(1234567), Limit: ptr(0), Line: 5, Column: 1},
			{Metric: "P-5.deliver.cause=" + strings.Repeat("long_", 20) + ".p50", Budget: "10us..20us", Unit: "ns",
				Verdict: report.BudgetUndecided, Why: why("no sample of it; there are cause=sysmon_retake"), Line: 6, Column: 1},
			{Metric: "P-5.kernel.p50", Budget: "<= 3us", Unit: "ns", AtLeast: ptr(2000), AtMost: ptr(4000),
				Verdict: report.BudgetUndecided, Line: 7, Column: 1},
			{Metric: "observer.cpu_fraction", Budget: "< 5%", Unit: "fraction", AtLeast: ptr(0.0123),
				AtMost: ptr(0.0123), Verdict: report.BudgetHeld, Line: 8, Column: 1},
			{Metric: "moves.per_s", Budget: "<= 100", AtLeast: ptr(15.4), AtMost: ptr(15.4),
				Verdict: report.BudgetHeld, Line: 9, Column: 1},
		}}
}

func TestCheckGolden(t *testing.T) {
	for name, o := range map[string]text.Options{"check": {Width: 120}, "check.80": {Width: 80}} {
		var b bytes.Buffer
		if err := text.WriteCheck(&b, checked(), o); err != nil {
			t.Fatal(err)
		}
		testenv.Golden(t, "testdata/"+name+".golden", b.Bytes())
	}
}

// No line is wider than the page, and none has what a terminal would obey.
func TestCheckWidth(t *testing.T) {
	for _, width := range []int{1, 20, 60, 79, 80, 100, 120, 300} {
		for _, ascii := range []bool{false, true} {
			var b bytes.Buffer
			if err := text.WriteCheck(&b, checked(), text.Options{Width: width, ASCII: ascii}); err != nil {
				t.Fatal(err)
			}
			for l := range strings.Lines(b.String()) {
				l = strings.TrimSuffix(l, "\n")
				if utf8.RuneCountInString(l) > width ||
					strings.ContainsFunc(l, func(r rune) bool { return !unicode.IsPrint(r) || ascii && r > unicode.MaxASCII }) {
					t.Errorf("width %d, ASCII %t: %q", width, ascii, l)
				}
			}
		}
	}
}

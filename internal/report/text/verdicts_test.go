package text_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestVerdictsText(t *testing.T) {
	vs := []*report.Verdicts{reporttest.Verdicts(t)}
	for _, v := range []string{contract.Holds, contract.HoldsExcept, contract.Inconclusive, contract.NotTestable,
		contract.OutOfRange, contract.Refuted} {
		found := false
		for _, row := range vs[0].Verdicts {
			found = found || row.Verdict == v
		}
		if !found {
			t.Errorf("none of the verdicts is %s", v)
		}
	}
	for width, golden := range map[int]string{0: "verdicts", 60: ""} {
		var b bytes.Buffer
		if err := text.WriteVerdicts(&b, vs, text.Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > max(width, 60) && width > 0 ||
				n > text.DefaultWidth {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if golden != "" {
			testenv.Golden(t, "testdata/"+golden+".golden", b.Bytes())
		}
	}
}

// Verbose text has all that a citation needs, on narrow terminals too.
func TestVerboseVerdictsText(t *testing.T) {
	v := reporttest.Verdicts(t)
	v.Verdicts[4].Evidence.Dropped = 3
	for _, width := range []int{80, 120} {
		var b bytes.Buffer
		if err := text.WriteVerdicts(&b, []*report.Verdicts{v}, text.Options{Width: width, Verbose: true}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		_, after, _ := strings.Cut(b.String(), "▲ P-9")
		row := strings.Join(strings.Fields(strings.Split(after, "Observability")[0]), " ")
		for _, want := range []string{"destroying a thread takes 10–30 µs", "true On this machine",
			"effect 3.1 times the upper end of the range", "interval median: 91.8 µs–92.2 µs, n = 400, 95 % confidence",
			"dropped 3 measured and left out", "spec “The M-destruction cost", "source runtime/proc.go",
			"scope Go 1.16 and newer", "measured six processes", "again pinwatch verify --only P-9"} {
			if !strings.Contains(row, want) {
				t.Errorf("no %q in %s", want, row)
			}
		}
	}
}

// A statement that an interrupted run has not run is named once, and has no rows.
func TestInterruptedVerdictsText(t *testing.T) {
	v := reporttest.Verdicts(t)
	v.Verdicts[0].Verdict, v.Verdicts[0].Evidence.Experiments = contract.Inconclusive, nil
	var b bytes.Buffer
	if err := text.WriteVerdicts(&b, []*report.Verdicts{v}, text.Options{}); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "not run: G-1\n") ||
		strings.Count(text, "G-1") != 1 || strings.Contains(text, "Guarantees") {
		t.Errorf("G-1 has not been done: %s", text)
	}
}

// Only a verdict is by the runtime's source: what is not testable has none.
func TestBySource(t *testing.T) {
	v := reporttest.Verdicts(t)
	v.Verdicts = v.Verdicts[:1]
	row := &v.Verdicts[0]
	row.Evidence.Basis = report.BySource
	for verdict, want := range map[string]int{contract.Refuted: 1, contract.NotTestable: 0, contract.Inconclusive: 0} {
		row.Verdict = verdict
		var b bytes.Buffer
		if err := text.WriteVerdicts(&b, []*report.Verdicts{v}, text.Options{}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "by    the runtime's source of "+v.GoVersion); n != want {
			t.Errorf("%s: by the source %d times, want %d: %s", verdict, n, want, b.String())
		}
	}
}

func TestStatementText(t *testing.T) {
	v := reporttest.Verdicts(t)
	s, _ := contract.Find("P-9")
	last := *v
	last.Verdicts = v.Verdicts[4:5]
	last.Environment = report.Environment{Settings: map[string]string{"GOGC": "off"}, CPUs: []int{1}}
	for name, l := range map[string]*report.Verdicts{"out of range": &last, "none yet": nil} {
		var b bytes.Buffer
		if err := text.WriteStatement(&b, s, l, text.Options{}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{name, s.Want, "pinwatch verify --only P-9"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in %s", name, want, b.String())
			}
		}
		for _, want := range []string{"settings    GOGC=off, handed", "limits      workloads on CPUs 1"} {
			if strings.Contains(b.String(), want) != (l != nil) {
				t.Errorf("%s: %q in %s", name, want, b.String())
			}
		}
	}
}

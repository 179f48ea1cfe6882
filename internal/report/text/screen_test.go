package text_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

// crowded returns a report with many findings, notes and callers, all in long words.
func crowded(findings, notes, callers int) *report.Report {
	meta := reporttest.Meta()
	last := meta.Findings
	meta.Findings = nil
	for i := range findings {
		f := last[0]
		f.ID = fmt.Sprintf("finding-%d", i)
		f.Message = strings.Repeat("a long sentence with many words about threads; ", 9)
		f.Advice = strings.Repeat("do this, that and more of the same kind, ", 9)
		meta.Findings = append(meta.Findings, f)
	}
	meta.Findings = append(meta.Findings, last...)
	for range notes {
		meta.Warnings = append(meta.Warnings, strings.Repeat("a remark that changes every conclusion. ", 6))
	}
	res := reporttest.Rich()
	for range callers {
		res.Sites = append(res.Sites, res.Sites[0])
	}
	return report.New(meta, res)
}

// The first screen has at most 45 lines of 100 columns, whatever there is to report. With room to spare
// a finding is written in full, without it on two lines.
func TestScreenFits(t *testing.T) {
	all := map[string]*report.Report{"crowded": crowded(20, 9, 20), "lossy and crowded": crowded(20, 9, 20)}
	all["lossy and crowded"].Loss = reporttest.Reports()["lossy"].Loss
	for name, r := range reporttest.Reports() {
		all[name] = r
	}
	for name, r := range all {
		for _, o := range []text.Options{{}, {Width: 200}, {ASCII: true}, {Unit: "ms"}} {
			if got := strings.Count(render(t, r, o), "\n"); got > 45 {
				t.Errorf("%s, %+v: %d lines\n%s", name, o, got, render(t, r, o))
			}
		}
	}
	few := render(t, crowded(1, 0, 0), text.Options{})
	if n := strings.Count(few, "a long sentence with many words"); n < 3 {
		t.Errorf("of one finding the message is there %d times, want several lines of it:\n%s", n, few)
	}
	advice := strings.Count(render(t, crowded(4, 0, 0), text.Options{}), "do this, that")
	if n := strings.Count(render(t, crowded(4, 0, 0), text.Options{Width: 60}), "do this, that"); n < advice {
		t.Errorf("of four findings the advice is there %d times in 60 columns, %d in 100", n, advice)
	}
	many := render(t, crowded(20, 9, 20), text.Options{})
	for _, want := range []string{"more findings: -v", "all numbers and "} {
		if !strings.Contains(many, want) {
			t.Errorf("no %q in\n%s", want, many)
		}
	}
	pairs := regexp.MustCompile(`(?m)^(WARN|ERROR) .*\n     → .*$`).FindAllString(many, -1)
	if len(pairs) < 3 || strings.Count(many, "WARN ")+strings.Count(many, "ERROR ") != len(pairs) {
		t.Errorf("%d findings of two lines each in\n%s", len(pairs), many)
	}
}

// TestNothingLookedFor: a window that shows nothing gets no all-clear, and the reason once.
func TestNothingLookedFor(t *testing.T) {
	r := reporttest.Reports()["idle"]
	why := "the process was stopped or frozen all the time"
	r.Findings = nil
	for i := range r.Judged {
		r.Judged[i].Why = &why
	}
	for _, o := range []text.Options{{}, {Verbose: true}} {
		got := render(t, r, o)
		if strings.Count(got, why) != 1 || !strings.Contains(got, "findings    not looked for: "+why) ||
			strings.Contains(got, "nothing found") || strings.Contains(got, r.Judged[0].ID) {
			t.Errorf("%+v: got\n%s", o, got)
		}
	}
}

// A page in ASCII has no other byte, and no shape of a distribution.
func TestASCII(t *testing.T) {
	for name, r := range reporttest.Reports() {
		for _, o := range []text.Options{{ASCII: true}, {ASCII: true, Verbose: true}} {
			got := render(t, r, o)
			if i := strings.IndexFunc(got, func(r rune) bool { return r > unicode.MaxASCII }); i >= 0 {
				c, _ := utf8.DecodeRuneInString(got[i:])
				t.Errorf("%s, %+v: %q is not ASCII", name, o, c)
			}
			if strings.Contains(got, "max shape") || strings.Contains(got, "???") {
				t.Errorf("%s: a shape in\n%s", name, got)
			}
		}
	}
}

// With one unit each time of the table is a plain number that awk and sort understand.
func TestUnit(t *testing.T) {
	got := render(t, reporttest.Reports()["rich"], text.Options{Unit: "us"})
	row := regexp.MustCompile(`(?m)^ create a thread +118 +(\S+) +(\S+) +(\S+) +10–50 +within$`).FindStringSubmatch(got)
	if row == nil || !strings.Contains(got, " p50_us ") {
		t.Fatalf("no such row in\n%s", got)
	}
	for i, want := range []float64{33.8, 83.5, 85.1} {
		if v, err := strconv.ParseFloat(row[i+1], 64); err != nil || v < want-0.05 || v > want+0.05 {
			t.Errorf("%s, want about %g: %v", row[i+1], want, err)
		}
	}
	if long := render(t, reporttest.Reports()["rich"], text.Options{Unit: "ns", Verbose: true}); !regexp.MustCompile(
		`(?m)^★ clone_syscall clone in creator +118 +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ in +10000–50000$`).MatchString(long) {
		t.Errorf("no plain numbers in\n%s", long)
	}
}

// The first screen has the reason why kinds of findings were not looked for, whatever their number.
func TestScreenNotLookedFor(t *testing.T) {
	why := "the target's Go runtime could not be read"
	r := crowded(0, 0, 0)
	r.Judged = nil
	for _, id := range []string{"pins-growing", "exit-while-locked-churn", "per-request-pinning", "wedged-m0",
		"leaked-pin"} {
		r.Judged = append(r.Judged, report.Judged{ID: id, Why: &why})
	}
	got := render(t, r, text.Options{})
	if want := "not looked for: pins-growing and 4 more: " + why + "\n"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}

package text_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/summary"
	"github.com/pinwatch/pinwatch/internal/report/summary/summarytest"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func renderSummary(t *testing.T, s *report.Summary, o text.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := text.WriteSummary(&b, s, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The whole summary, and the first screen of it.
func TestSummaryGolden(t *testing.T) {
	for name, s := range summarytest.Summaries() {
		testenv.Golden(t, "testdata/summary_"+name+".golden", []byte(renderSummary(t, s, whole)))
		testenv.Golden(t, "testdata/summary_"+name+".screen.golden", []byte(renderSummary(t, s, text.Options{})))
		testenv.Golden(t, "testdata/summary_"+name+".80.golden", []byte(renderSummary(t, s, text.Options{Width: 80})))
	}
}

// No line is wider than the page, and none has what a terminal would obey.
func TestSummaryWidth(t *testing.T) {
	for name, s := range summarytest.Summaries() {
		for _, width := range []int{1, 2, 7, 12, 20, 40, 41, 60, 79, 80, 99, 100, 120, 160, 200, 300} {
			for _, o := range []text.Options{{}, whole, {ASCII: true}, {Unit: "us"}} {
				o.Width = width
				for l := range strings.Lines(renderSummary(t, s, o)) {
					l = strings.TrimSuffix(l, "\n")
					if n := utf8.RuneCountInString(l); n > width {
						t.Errorf("%s: %d columns in a page of %d: %q", name, n, width, l)
					}
					if strings.ContainsFunc(l, func(r rune) bool { return !unicode.IsPrint(r) || o.ASCII && r > unicode.MaxASCII }) {
						t.Errorf("%s, %+v: %q", name, o, l)
					}
				}
			}
		}
	}
}

// A character may take two columns of a terminal, or none.
func TestSummaryWideNames(t *testing.T) {
	s := summary.New()
	for i := range 9 {
		name := strings.Repeat("データ処理e\u0301", 1+4*i)
		s.Add(summarytest.Process(i+1, name, reporttest.Rich(), findings.Finding{ID: "x", Severity: "warn", Message: "m"}))
	}
	got := renderSummary(t, s.Report(summary.Meta{}), text.Options{Width: 80, Verbose: true})
	for l := range strings.Lines(got) {
		n, marks := strings.Count(l, "")-2, strings.Count(l, "\u0301")
		for _, r := range "データ処理" {
			n += strings.Count(l, string(r))
		}
		if n -= marks; n > 80 {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	short := regexp.MustCompile(`(?m)^ データ処理e\x{301} .*`).FindString(got)
	long := regexp.MustCompile(`(?m)^ データ処理e\x{301}データ.*…`).FindString(got)
	if short == "" || long == "" {
		t.Error(got)
	}
}

// The first screen has at most 45 lines of 100 columns, whatever there is to report.
func TestSummaryFits(t *testing.T) {
	for name, s := range summarytest.Summaries() {
		for _, o := range []text.Options{{}, {Width: 120}, {Width: 200}, {ASCII: true}, {Unit: "ms"}} {
			if got := renderSummary(t, s, o); strings.Count(got, "\n") > 45 {
				t.Errorf("%s, %+v: %d lines\n%s", name, o, strings.Count(got, "\n"), got)
			}
		}
		if got := renderSummary(t, s, text.Options{Width: 80}); strings.Count(got, "\n") > 45*100/80 {
			t.Errorf("%s: %d lines of 80 columns\n%s", name, strings.Count(got, "\n"), got)
		}
	}
}

// Colour adds escapes and nothing else.
func TestSummaryColor(t *testing.T) {
	for name, s := range summarytest.Summaries() {
		without, with := renderSummary(t, s, text.Options{}), renderSummary(t, s, text.Options{Color: true})
		trim := regexp.MustCompile(`(?m) +$`)
		if got := trim.ReplaceAllString(escape.ReplaceAllString(with, ""), ""); got != without || with == without {
			t.Errorf("%s: without its escapes the coloured summary differs:\n%s", name, got)
		}
	}
}

// TestSummaryFirst: what is there to do comes right after how many processes there were.
func TestSummaryFirst(t *testing.T) {
	for name, want := range map[string]string{
		"build": "43 processes of 14 programs and 40 tools of Go builds in 12.3 s, nothing lost\n\n" +
			"Something to do in 2 of 83 processes: 2 kinds of findings, which cost",
		"calm": "3 processes of 1 program in 12.3 s, nothing lost\n\nNothing to do: no finding in 3 processes.\n",
		"partly": "47 processes of 16 programs and 40 tools of Go builds in 12.3 s\n\n" +
			"LOSSY RUN   records of 1 of 87 processes were lost: their numbers have a ≥",
		"empty": "0 processes of 0 programs in 0 ns, nothing lost\n\nNo process was observed, so nothing is known.\n",
	} {
		if got := renderSummary(t, summarytest.Summaries()[name], text.Options{}); !strings.HasPrefix(got, want) {
			t.Errorf("%s begins\n%s\nwant\n%s", name, got[:min(len(got), 300)], want)
		}
	}
}

// TestSummaryMarksBounds: a sum over processes of which some have no number is marked.
func TestSummaryMarksBounds(t *testing.T) {
	got := renderSummary(t, summarytest.Summaries()["partly"], text.Options{})
	row := regexp.MustCompile(`(?m)^ api +3 +≥354 +≥\S+ ms +≥1,224 +≥0 `)
	if !row.MatchString(got) {
		t.Errorf("no row %s in\n%s", row, got)
	}
}

// A process that the kernel hid from pinwatch is not "nothing lost", and nobody is told that all is well.
func TestSummarySkippedExecs(t *testing.T) {
	s := *summarytest.Summaries()["calm"]
	n := uint64(2)
	s.Incomplete.SkippedExecs = &n
	got := renderSummary(t, &s, text.Options{})
	for _, want := range []string{"in 12.3 s\n\nNothing to do was found in 3 processes. Up to 2 more were not observed.\n",
		"\nnot seen    up to 2: the kernel skipped their start\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

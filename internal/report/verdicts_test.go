package report_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
)

func TestVerdictsFollowTheirSchema(t *testing.T) {
	var b bytes.Buffer
	if err := report.WriteVerdictsJSON(&b, []*report.Verdicts{reporttest.Verdicts(t)}); err != nil {
		t.Fatal(err)
	}
	if err := schematest.CheckVerdicts(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	for _, edit := range [][2]string{
		{`"verdict": "refuted"`, `"verdict": "wrong"`}, {`"n": 9`, `"n": -9`}, {`"why": "`, `"because": "`},
		{"verdicts/v1", "verdicts/v2"},
	} {
		broken := strings.Replace(b.String(), edit[0], edit[1], 1)
		if broken == b.String() {
			t.Errorf("nothing to edit for %q", edit)
		}
		if schematest.CheckVerdicts([]byte(broken)) == nil {
			t.Errorf("accepted: %q", edit)
		}
	}
}

func TestVerdictsJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := report.WriteVerdictsJUnit(&b, []*report.Verdicts{reporttest.Verdicts(t)}, nil); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	tests, failures, skipped := 0, 0, 0
	for _, s := range doc.Suites {
		tests, failures, skipped = tests+s.Tests, failures+s.Failures, skipped+s.Skipped
		if s.Tests != len(s.Cases) {
			t.Errorf("a suite of %d has %d cases", s.Tests, len(s.Cases))
		}
		for _, c := range s.Cases {
			id, _, _ := strings.Cut(c.Name, " ")
			if failed := id == "P-9" || id == "M-1"; (c.Failure != nil) != failed {
				t.Errorf("%s: failed %t", c.Name, !failed)
			}
		}
	}
	if tests != 8 || failures != 2 || skipped != 2 {
		t.Errorf("%d tests, %d failures, %d skipped; want 8, 2, 2", tests, failures, skipped)
	}
}

// The name of a suite has the settings that its workloads got.
func TestVerdictsJUnitSettings(t *testing.T) {
	v := reporttest.Verdicts(t)
	suites := func() string {
		var b bytes.Buffer
		if err := report.WriteVerdictsJUnit(&b, []*report.Verdicts{v}, nil); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	v.Environment.Settings = nil
	if text := suites(); !strings.Contains(text, `name="go1.26.8 guarantees"`) {
		t.Errorf("without settings: %s", text)
	}
	v.Environment.Settings = map[string]string{"GODEBUG": "a=1"}
	if text := suites(); !strings.Contains(text, `name="go1.26.8 GODEBUG=a=1 guarantees"`) {
		t.Errorf("with a setting: %s", text)
	}
}

// With a baseline, changed verdicts are the only failures.
func TestVerdictsJUnitExpected(t *testing.T) {
	v := reporttest.Verdicts(t)
	expect := &report.Baseline{Verdicts: map[string]string{}}
	for _, row := range v.Verdicts {
		expect.Verdicts[row.ID] = row.Verdict
	}
	expect.GoVersion, expect.HostClass = v.GoVersion, v.Host.Class()
	expect.Verdicts["G-1"] = contract.Refuted
	expect.Verdicts["P-4"] = contract.Holds        // which is inconclusive now
	expect.Verdicts["N-4"] = contract.Inconclusive // which holds now
	vs := []*report.Verdicts{v}
	junit := func(allowed report.Allowed) string {
		var b bytes.Buffer
		if err := report.WriteVerdictsJUnit(&b, vs, expect.Compare(vs, allowed)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if text := junit(report.Allowed{Inconclusive: 3}); strings.Count(text, "<failure") != 1 ||
		!strings.Contains(text, `message="holds, was refuted: on another thread`) ||
		!strings.Contains(text, `<skipped message="inconclusive: need 6 samples`) {
		t.Errorf("want G-1 alone failed, and P-4 skipped: %s", text)
	}
	delete(expect.Verdicts, "P-9") // which is out of range
	if text := junit(report.Allowed{}); strings.Count(text, "<failure") != 3 ||
		!strings.Contains(text, "1 became inconclusive, and --allow-inconclusive is 0: P-4") ||
		!strings.Contains(text, "the baseline does not know P-9") {
		t.Errorf("want two failures of the run as a whole: %s", text)
	}
}

// A run is compared only with one of its own kind, and what is not comparable fails.
func TestCompare(t *testing.T) {
	v := reporttest.Verdicts(t)
	same := func() *report.Baseline {
		var b bytes.Buffer
		if err := report.WriteVerdictsBaseline(&b, []*report.Verdicts{v}); err != nil {
			t.Fatal(err)
		}
		baseline, err := report.ReadBaseline(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return baseline
	}
	for what, tt := range map[string]struct {
		alter   func(*report.Baseline)
		allowed report.Allowed
		problem string // "" = none
	}{
		"the same":       {func(*report.Baseline) {}, report.Allowed{}, ""},
		"a patch":        {func(b *report.Baseline) { b.GoVersion = "go1.26.1" }, report.Allowed{}, ""},
		"another kernel": {func(b *report.Baseline) { b.Host = "Linux 5.10" }, report.Allowed{}, ""},
		"another release": {func(b *report.Baseline) { b.GoVersion = "go1.21.13" }, report.Allowed{},
			"another release, go1.21.13"},
		"tip": {func(b *report.Baseline) { b.GoVersion = "devel go1.26-1a2b" }, report.Allowed{},
			"another release, devel"},
		"tip as it is called now": {func(b *report.Baseline) { b.GoVersion = "go1.26-devel_1a2b" }, report.Allowed{},
			"another release, go1.26-devel"},
		"a candidate": {func(b *report.Baseline) { b.GoVersion = "go1.26rc1" }, report.Allowed{},
			"another release, go1.26rc1"},
		"another release, allowed": {func(b *report.Baseline) { b.GoVersion = "go1.21.13" },
			report.Allowed{Release: true}, ""},
		"another host": {func(b *report.Baseline) { b.HostClass = "arm64" }, report.Allowed{},
			"another host class, arm64"},
		"another host, allowed": {func(b *report.Baseline) { b.HostClass = "arm64" }, report.Allowed{Host: true}, ""},
		"of an older pinwatch": {func(b *report.Baseline) { b.HostClass = "" }, report.Allowed{},
			"one that it does not name"},
		"other settings": {func(b *report.Baseline) { b.Settings = map[string]string{"GOGC": "off"} },
			report.Allowed{}, "GOGC=off; these are none"},
		"a statement of the past": {func(b *report.Baseline) { b.Verdicts["Z-9"] = "holds" }, report.Allowed{},
			"does not know Z-9"},
		"a statement that was not": {func(b *report.Baseline) { delete(b.Verdicts, "G-1") }, report.Allowed{},
			"does not know G-1"},
		"inconclusive": {func(b *report.Baseline) { b.Verdicts["P-4"] = "holds" }, report.Allowed{},
			"1 became inconclusive, and --allow-inconclusive is 0: P-4"},
		"inconclusive, allowed": {func(b *report.Baseline) { b.Verdicts["P-4"] = "holds" },
			report.Allowed{Inconclusive: 1}, ""},
		"inconclusive in the past": {func(b *report.Baseline) { b.Verdicts["G-1"] = "inconclusive" }, report.Allowed{},
			""},
		"inconclusive and was before": {func(b *report.Baseline) { b.Verdicts["P-4"] = "inconclusive" }, report.Allowed{},
			""},
	} {
		b := same()
		tt.alter(b)
		c := b.Compare([]*report.Verdicts{v}, tt.allowed)
		if got := strings.Join(c.Problems, "; "); (got == "") != (tt.problem == "") || !strings.Contains(got, tt.problem) ||
			c.Failed() != (tt.problem != "") {
			t.Errorf("%s: %q, failed %t; want %q", what, got, c.Failed(), tt.problem)
		}
	}
	if c := same().Compare(nil, report.Allowed{}); !c.Interrupted {
		t.Error("a run without verdicts is whole")
	}
}

func TestBaseline(t *testing.T) {
	v := reporttest.Verdicts(t)
	var small, whole bytes.Buffer
	if err := report.WriteVerdictsBaseline(&small, []*report.Verdicts{v}); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteVerdictsJSON(&whole, []*report.Verdicts{v}); err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{small.Bytes(), whole.Bytes()} {
		b, err := report.ReadBaseline(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Verdicts) != len(v.Verdicts) || b.GoVersion != v.GoVersion || b.Host != v.Where() {
			t.Errorf("%+v", b)
		}
		for i := range v.Verdicts {
			if was, changed := b.Change(&v.Verdicts[i]); was != v.Verdicts[i].Verdict || changed {
				t.Errorf("%s: was %s, changed: %t", v.Verdicts[i].ID, was, changed)
			}
		}
	}
	for _, text := range []string{"", "[]", small.String() + small.String(), `{"schema": "pinwatch.baseline/v2"}`,
		`{"schema": "pinwatch.baseline/v1"}`, `{"schema": "pinwatch.baseline/v1", "verdicts": 3}`,
		small.String()[:small.Len()/2], whole.String()[:whole.Len()-2]} {
		if b, err := report.ReadBaseline([]byte(text)); err == nil {
			t.Errorf("read %q as %+v", text, b)
		}
	}
}

// A statement with two verdicts, as after a merge, is an error.
func TestBaselineTwice(t *testing.T) {
	for _, text := range []string{
		`{"schema": "pinwatch.baseline/v1", "verdicts": {"G-1": "holds", "G-3": "holds", "G-1": "refuted"}}`,
		`{"schema": "pinwatch.verdicts/v1", "verdicts": [{"id": "G-1"}, {"id": "G-3"}, {"id": "G-1"}]}`,
	} {
		if _, err := report.ReadBaseline([]byte(text)); err == nil || err.Error() != "it has two verdicts on G-1" {
			t.Errorf("%v: %s", err, text)
		}
	}
}

// A statement that an interrupted run has not run is not in its baseline: inconclusive there, it would
// never fail.
func TestBaselineOfInterruptedRun(t *testing.T) {
	v := reporttest.Verdicts(t)
	whole := v.Verdicts[0]
	v.Verdicts[0].Verdict, v.Verdicts[0].Evidence.Experiments, v.Interrupted = contract.Inconclusive, nil, true
	var b bytes.Buffer
	if err := report.WriteVerdictsJSON(&b, []*report.Verdicts{v}); err != nil {
		t.Fatal(err)
	}
	baseline, err := report.ReadBaseline(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	v.Verdicts[0], v.Interrupted = whole, false
	c := baseline.Compare([]*report.Verdicts{v}, report.Allowed{})
	if got := strings.Join(c.Problems, "; "); got != "the baseline does not know "+whole.ID+": make a new one" {
		t.Errorf("problems %q", got)
	}
}

// A verdict that is not conclusive contradicts no other.
func TestChanges(t *testing.T) {
	conclusive := []string{contract.Holds, contract.HoldsExcept, contract.Witnessed, contract.Refuted, contract.OutOfRange}
	open := []string{contract.NotWitnessed, contract.Borderline, contract.Inconclusive}
	changed := func(was, is string) bool {
		b := report.Baseline{Verdicts: map[string]string{"P-9": was}}
		_, changed := b.Change(&report.StatementVerdict{ID: "P-9", Verdict: is})
		return changed
	}
	for _, was := range conclusive {
		for _, is := range conclusive {
			if changed(was, is) != (was != is) {
				t.Errorf("%s, then %s: changed %t", was, is, changed(was, is))
			}
		}
		for _, is := range open {
			if changed(was, is) || changed(is, was) {
				t.Errorf("%s and %s contradict each other", was, is)
			}
		}
	}
}

func TestVerdictsMarkdownAndHTML(t *testing.T) {
	vs := []*report.Verdicts{reporttest.Verdicts(t)}
	var md, page bytes.Buffer
	if err := report.WriteVerdictsMarkdown(&md, vs); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(md.String()) {
		if strings.HasPrefix(line, "| ") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 7 {
			t.Errorf("not six cells: %s", line)
		}
	}
	if err := report.WriteVerdictsHTML(&page, vs); err != nil {
		t.Fatal(err)
	}
	html := page.String()
	for _, row := range vs[0].Verdicts {
		if !strings.Contains(html, `id="go1.26.8-`+row.ID+`"`) || !strings.Contains(md.String(), "| "+row.ID+" |") {
			t.Errorf("%s is missing", row.ID)
		}
	}
	for _, want := range []string{"runtime/proc.go:2116 mexit: exitThread( (go1.26.8)",
		"runtime/metrics.go initMetrics has no",
		"“The M-destruction cost", "times the upper end of the range", "holds except, by source", "8589934592"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if strings.Contains(html, "a <warning>") || !strings.Contains(html, "a &lt;warning&gt;") {
		t.Error("text is not escaped")
	}
	for _, outside := range []string{"http://", "https://", "<script", "<link", "@import", "url("} {
		if strings.Contains(html, outside) {
			t.Errorf("the page needs something from elsewhere: %s", outside)
		}
	}
}

// A statement that an interrupted run has not reached is called not run in every format for people.
func TestNotRun(t *testing.T) {
	v := reporttest.Verdicts(t)
	v.Interrupted = true
	row := &v.Verdicts[0]
	row.Verdict, row.Evidence.Experiments = contract.Inconclusive, nil
	one := *v
	one.Verdicts = v.Verdicts[:1]
	vs := []*report.Verdicts{&one}
	var html, markdown, junit bytes.Buffer
	for _, err := range []error{report.WriteVerdictsHTML(&html, vs), report.WriteVerdictsMarkdown(&markdown, vs),
		report.WriteVerdictsJUnit(&junit, vs, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, page := range map[string]string{"html": html.String(), "markdown": markdown.String(),
		"junit": junit.String(),
		"tally": strings.Join(one.TallyWords(), " ")} {
		_, body, _ := strings.Cut(page, "</style>")
		if body == "" {
			body = page
		}
		if !strings.Contains(body, "not run") || strings.Contains(strings.ReplaceAll(body, `class="inconclusive"`, ""),
			"inconclusive") {
			t.Errorf("%s: %s", name, body)
		}
	}
	if one.Interrupted = false; one.TallyWords()[0] != "1 inconclusive" {
		t.Errorf("a whole run: %q", one.TallyWords())
	}
}

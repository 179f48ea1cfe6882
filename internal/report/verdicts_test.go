package report_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// verdictsOf judges a few statements, one for each verdict there is, by evidence made up for that.
func verdictsOf(t *testing.T) *report.Verdicts {
	t.Helper()
	times := func(n int, ns float64) contract.Sample {
		v := make([]float64, n)
		for i := range v {
			v[i] = ns + 10*float64(i)
		}
		return contract.NewSample("ns", v)
	}
	trial := []string{"calls -n 500"}
	e := contract.Evidence{GoVersion: "go1.26.8", Experiments: map[string]*contract.Record{
		"migrate": {Source: "the workload's own account", Workloads: []string{"migrate"},
			Counts: map[string]int64{"locked_looks": 8000, "unlocked_moves": 321}},
		"calls": {Workloads: trial, Samples: map[string]contract.Sample{"lock": times(9, 3), "unlock": times(5, 4), "first_lock": times(15, 30_000)}},
		"churn": {Workloads: []string{"churn"}, Noise: 0.7, Samples: map[string]contract.Sample{"exit": times(400, 90_000)}, Notes: []string{"a <warning> with | in it"}},
		"runs":  {Outcomes: map[string]map[string]int64{"tids": {"1 2": 19, "2 1": 1}}},
		"names": {Counts: map[string]int64{"metric_asked": 1}},
		"cgo":   {Unable: "no C compiler on this machine"},
	}}
	var outcomes []contract.Outcome
	for _, id := range []string{"G-1", "P-3", "P-4", "P-7", "P-9", "M-1", "N-4", "O-macos"} {
		s, ok := contract.Find(id)
		if !ok {
			t.Fatalf("no statement %s", id)
		}
		outcomes = append(outcomes, s.Judge(e))
	}
	m := meta()
	return report.NewVerdicts(report.VerdictsMeta{Version: m.Version, Host: m.Host, Finished: time.Date(2025, 3, 9, 3, 12, 45, 0, time.UTC), Interrupted: true},
		outcomes, e)
}

func TestVerdictsText(t *testing.T) {
	vs := []*report.Verdicts{verdictsOf(t)}
	for _, v := range []string{contract.Holds, contract.HoldsExcept, contract.Inconclusive, contract.NotTestable, contract.OutOfRange, contract.Refuted} {
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
		if err := report.WriteVerdictsText(&b, vs, report.TextOptions{Width: width}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > max(width, 60) && width > 0 || n > report.DefaultWidth {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if golden != "" {
			testenv.Golden(t, "testdata/"+golden+".golden", b.Bytes())
		}
	}
}

// What an interrupted run has not done is named once, and has no rows.
func TestInterruptedVerdictsText(t *testing.T) {
	v := verdictsOf(t)
	v.Verdicts[0].Verdict, v.Verdicts[0].Evidence.Experiments = contract.Inconclusive, nil
	var b bytes.Buffer
	if err := report.WriteVerdictsText(&b, []*report.Verdicts{v}, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "not done, and so inconclusive: G-1\n") || strings.Count(text, "G-1") != 1 || strings.Contains(text, "Guarantees") {
		t.Errorf("G-1 has not been done: %s", text)
	}
}

func TestVerdictsFollowTheirSchema(t *testing.T) {
	var b bytes.Buffer
	if err := report.WriteVerdictsJSON(&b, []*report.Verdicts{verdictsOf(t)}); err != nil {
		t.Fatal(err)
	}
	if err := schematest.CheckVerdicts(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	for _, edit := range [][2]string{
		{`"verdict": "refuted"`, `"verdict": "wrong"`}, {`"n": 9`, `"n": -9`}, {`"why": "`, `"because": "`}, {"verdicts/v1", "verdicts/v2"},
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
	if err := report.WriteVerdictsJUnit(&b, []*report.Verdicts{verdictsOf(t)}, nil); err != nil {
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
	if tests != 8 || failures != 2 || skipped != 3 {
		t.Errorf("%d tests, %d failures, %d skipped; want 8, 2, 3", tests, failures, skipped)
	}
}

// Beside a baseline, what has changed has failed, and nothing else.
func TestVerdictsJUnitExpected(t *testing.T) {
	v := verdictsOf(t)
	expect := &report.Baseline{Verdicts: map[string]string{}}
	for _, row := range v.Verdicts {
		expect.Verdicts[row.ID] = row.Verdict
	}
	expect.Verdicts["G-1"] = contract.Refuted
	expect.Verdicts["P-4"] = contract.Holds        // which is inconclusive now
	expect.Verdicts["N-4"] = contract.Inconclusive // which holds now
	delete(expect.Verdicts, "P-9")                 // which is out of range
	var b bytes.Buffer
	if err := report.WriteVerdictsJUnit(&b, []*report.Verdicts{v}, expect); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Count(text, "<failure") != 1 || !strings.Contains(text, `message="holds, was refuted: on another thread`) {
		t.Errorf("want G-1 alone failed: %s", text)
	}
}

func TestBaseline(t *testing.T) {
	v := verdictsOf(t)
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
	for _, text := range []string{"", "[]", small.String() + small.String(), `{"schema": "pinwatch.baseline/v2"}`, `{"schema": "pinwatch.baseline/v1"}`, `{"schema": "pinwatch.baseline/v1", "verdicts": 3}`} {
		if b, err := report.ReadBaseline([]byte(text)); err == nil {
			t.Errorf("read %q as %+v", text, b)
		}
	}
}

func TestVerdictsMarkdownAndHTML(t *testing.T) {
	vs := []*report.Verdicts{verdictsOf(t)}
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
	if strings.Contains(html, "a <warning>") || !strings.Contains(html, "a &lt;warning&gt;") {
		t.Error("text is not escaped")
	}
	for _, outside := range []string{"http://", "https://", "<script", "<link", "@import", "url("} {
		if strings.Contains(html, outside) {
			t.Errorf("the page needs something from elsewhere: %s", outside)
		}
	}
}

func TestStatementText(t *testing.T) {
	v := verdictsOf(t)
	s, _ := contract.Find("P-9")
	last := *v
	last.Verdicts = v.Verdicts[4:5]
	for name, l := range map[string]*report.Verdicts{"out of range": &last, "none yet": nil} {
		var b bytes.Buffer
		if err := report.WriteStatement(&b, s, l, report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{name, s.Want, "pinwatch verify --only P-9"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in %s", name, want, b.String())
			}
		}
	}
}

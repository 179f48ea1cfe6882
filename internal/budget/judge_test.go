package budget

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/report/summary/summarytest"
)

// window is a report whose numbers the tests know.
func window(change func(*correlate.Result, *report.Meta)) *report.Report {
	res, meta := reporttest.Rich(), reporttest.Meta()
	res.Costs = []correlate.Cost{
		reporttest.Around(correlate.Cost{ID: "P-8", Phase: "total"}, 299, 50_000, 0),
		reporttest.Around(correlate.Cost{ID: "P-8", Phase: "spawn"}, 298, 50_000, 0),
		reporttest.Around(correlate.Cost{ID: "P-8", Phase: "start"}, 5, 50_000, 0),
		reporttest.Around(correlate.Cost{ID: "P-8", Phase: "start", Population: correlate.Population{Locked: "true"}},
			6, 40_000, 0),
		reporttest.Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "lower"}, 600, 2_000, 0),
		reporttest.Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "upper"}, 400, 4_000, 0),
		reporttest.Around(correlate.Cost{ID: "X-handoff", Phase: "cpu", Bound: "lower"}, 600, 2_000, 0),
		{ID: "P-9", Phase: "exit"},
	}
	if change != nil {
		change(res, &meta)
	}
	return report.New(meta, res)
}

func lose(res *correlate.Result, _ *report.Meta) { res.Loss.ByKind["switch"] = 3 }

// A budget holds where everything that the number can be is allowed, and is broken where nothing is.
func TestJudge(t *testing.T) {
	lockless := func(res *correlate.Result, _ *report.Meta) { res.Counts.LockedThreads = nil }
	skipped := func(res *correlate.Result, _ *report.Meta) {
		res.Loss.Skipped = map[string]uint64{"sys_enter_exit": 2, "sys_exit_clone": 2}
	}
	three := func(_ *correlate.Result, m *report.Meta) {
		for range findings.PerKind {
			m.Findings = append(m.Findings, findings.Finding{ID: "leaked-pin", Severity: "info"})
		}
	}
	for _, c := range []struct {
		budget string
		change func(*correlate.Result, *report.Meta)
		want   string
	}{
		{"P-8.total.p99: <= 50us", nil, "held"},
		{"P-8.total.p99: < 50us", nil, "broken"},
		{"P-8.total.p99: \">= 50us\"", nil, "held"},
		{"P-8.total.p99: \"> 50us\"", nil, "broken"},
		{"P-8.total.p99: 49us..51us", nil, "held"},
		{"P-8.total.p99: 51us..60us", nil, "broken"},
		{"P-8.total.p99: == 50us", nil, "held"},
		{"P-8.total.p99: 0", nil, "broken"},
		{"P-8.total.p999: <= 1s", nil, "undecided: 299 samples, and p999 takes 2995"},
		{"P-8.spawn.p99: <= 1s", nil, "undecided: 298 samples, and p99 takes 299"},
		{"P-8.spawn.p99: <= 1ns", nil, "undecided: 298 samples"},
		{"P-8.spawn.p90: <= 50us", nil, "held"},
		{"P-8.spawn.max: <= 50us", nil, "held"},
		{"P-8.start.p50: <= 1s", nil, "undecided: 5 samples, and p50 takes 6"},
		{"P-8.start.mean: <= 1s", nil, "undecided: 5 samples, and mean takes 6"},
		{"P-8.start.n: 5", nil, "held"},
		{"P-8.start.max: <= 1s", nil, "held"},
		{"P-8.start.locked=true.p50: <= 40us", nil, "held"},
		{"P-8.start.locked=false.p50: <= 40us", nil, "undecided: no sample of it; there are locked=true"},
		{"P-8.runq_wait.p50: <= 1s", nil, "undecided: this report has no such cost"},
		{"P-9.exit.p50: <= 1s", nil, "undecided: no sample"},
		{"P-9.exit.n: 0", nil, "held"},
		{"P-5.kernel.p50: <= 4us", nil, "held"},
		{"P-5.kernel.p50: <= 3us", nil, "undecided"},
		{"P-5.kernel.p50: <= 1us", nil, "broken"},
		{"P-5.kernel.p50: \">= 5us\"", nil, "broken"},
		{"P-5.kernel.n: 400..600", nil, "held"},
		{"X-handoff.cpu.p50: <= 3us", nil, "undecided: the report has a bound of this cost only"},
		{"X-handoff.cpu.p50: <= 1us", nil, "broken"},
		{"P-8.total.bias_ns: <= 1s", nil, "undecided: not known: it is null"},
		{"locked_threads: <= 4", nil, "held"},
		{"counts.locked_threads: < 4", nil, "broken"},
		{"locked_threads: <= 4", lockless, "undecided: not known: counts.locked_threads is null"},
		{"threads: 20..25", nil, "held"},
		{"window.duration_s: 5s", nil, "held"},
		{"observer.cpu_fraction: <= 0.246%", nil, "held"},
		{"observer.rss_anon_bytes: <= 12900000", nil, "held"},
		{"pauses.quota.throttled_periods: 0", nil, "undecided: not known: pauses.quota is null"},
		{"sums.handoffs: 0", nil, "undecided: this report does not have it"},

		{"threads_created: <= 1000", lose, "undecided: records were lost"},
		{"threads_created: <= 100", lose, "broken"},
		{"threads_created: \">= 100\"", lose, "undecided: records were lost"},
		{"P-8.total.p99: <= 50us", lose, "undecided: records were lost"},
		{"P-8.total.p99: < 1us", lose, "undecided: records were lost"},
		{"P-8.total.n: <= 10", lose, "broken"},
		{"moves.per_s: <= 1000000", lose, "undecided: records were lost"},
		{"loss.total: 0", lose, "broken"},
		{"loss.total: <= 3", lose, "held"},
		{"window.duration_s: 5s", lose, "held"},
		{"findings: {error: 0}", lose, "broken"},
		{"findings: {error: 1}", lose, "undecided: records were lost"},
		{"findings: {thread-surplus: 0}", lose, "undecided: records were lost"},
		{"P-8.clone_syscall.n: 0", skipped, "undecided"},
		{"P-8.total.p99: <= 50us", skipped, "held"},
		{"P-9.exit.n: 0", skipped, "undecided"},
		{"P-9.exit.n: <= 2", skipped, "held"},

		{"findings: {warn: 2}", nil, "held: 1 of 3 kinds of findings were not looked for"},
		{"findings: {warn: 0}", nil, "broken"},
		{"findings: {error: 1}", nil, "held"},
		{"findings: {info: <= 2}", nil, "held"},
		{"findings: {wedged-m0: 0}", nil, "broken"},
		{"findings: {exit-while-locked-churn: 1}", nil, "held"},
		{"findings: {leaked-pin: 0}", nil, "undecided: not looked for: that takes a window of 10 s or more (-d)"},
		{"findings: {thread-surplus: 0}", nil, "undecided: the report does not say that it was looked for"},
		{"findings: {leaked-pin: <= 5}", three, "undecided: a report has 3 of a kind at most"},
		{"findings: {leaked-pin: <= 2}", three, "broken"},

		{"executables: {renderd: {threads: 23}}", nil, "held"},
		{"executables: {other: {threads: 23}}", nil, "undecided: no process of it was observed"},
	} {
		s, err := OfReport("report", window(c.change))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse("b.yaml", []byte(c.budget))
		if err != nil {
			t.Fatal(err)
		}
		got := Judge(b, s, "v0")
		line := got.Checks[0]
		words := line.Verdict
		if line.Why != nil {
			words += ": " + *line.Why
		}
		if !strings.HasPrefix(words, c.want) || got.Verdict != line.Verdict {
			t.Errorf("%s: %s, want %s", c.budget, words, c.want)
		}
	}
}

// Broken ones come first, and they decide.
func TestOrder(t *testing.T) {
	s, err := OfReport("report", window(nil))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("b.yaml", []byte("threads: 23\nP-9.exit.p50: 0\nswitches: <= 100000\nmigrations: 1834\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := Judge(b, s, "v0")
	var names []string
	for _, l := range c.Checks {
		names = append(names, l.Metric)
	}
	if want := []string{"switches", "P-9.exit.p50", "threads", "migrations"}; !slices.Equal(names, want) ||
		c.Verdict != "broken" || c.Broken != 1 || c.Undecided != 1 || c.Held != 2 {
		t.Errorf("%v, %+v", names, c)
	}
	if l := c.Checks[0]; *l.Beyond != 84_203 || *l.Limit != 100_000 || l.By() != "84,203 (84.2 %)" {
		t.Errorf("beyond by %v of %v: %s", *l.Beyond, *l.Limit, l.By())
	}
	var text bytes.Buffer
	if err := report.WriteCheckJSON(&text, c); err != nil {
		t.Fatal(err)
	}
	if err := schematest.CheckCheck(text.Bytes()); err != nil {
		t.Error(err)
	}
}

// What Write makes holds on the same subject, is the same every time, and is refused after losses.
func TestWriteHolds(t *testing.T) {
	subjects := map[string]*Subject{}
	add := func(name string, s *Subject, err error) {
		if err != nil {
			t.Fatal(err)
		}
		subjects[name] = s
	}
	for name, r := range reporttest.Reports() {
		s, err := OfReport(name, r)
		add("report "+name, s, err)
	}
	for name, r := range summarytest.Summaries() {
		s, err := OfSummary(name, r)
		add("summary "+name, s, err)
	}
	written := 0
	for _, name := range slices.Sorted(maps.Keys(subjects)) {
		s := subjects[name]
		var text, again bytes.Buffer
		err := Write(&text, s)
		sc, _ := s.scope("")
		if (err != nil) != (sc.lost != "") {
			t.Errorf("%s: %v, and lost: %q", name, err, sc.lost)
		}
		if err != nil {
			continue
		}
		if err := Write(&again, s); err != nil || again.String() != text.String() {
			t.Errorf("%s: another file the second time", name)
		}
		b, err := Parse("b.yaml", text.Bytes())
		if err != nil {
			if !strings.Contains(err.Error(), "no budget") {
				t.Errorf("%s: %v\n%s", name, err, text.String())
			}
			continue
		}
		written++
		if c := Judge(b, s, "v0"); c.Verdict != report.BudgetHeld {
			t.Errorf("%s: %+v\n%s", name, c.Checks[0], text.String())
		}
	}
	if written < 5 {
		t.Errorf("%d files written of %d", written, len(subjects))
	}
}

// A summary has sums, costs over all processes, and those of each executable.
func TestSummary(t *testing.T) {
	for name, r := range summarytest.Summaries() {
		s, err := OfSummary(name, r)
		if err != nil {
			t.Fatal(err)
		}
		sc, _ := s.scope("")
		m, _ := findMetric("threads_created")
		v := s.value("", &m)
		if v.lo != nil && *v.lo != float64(r.Sums.ThreadsCreated) || (v.hi == nil) != (sc.lost != "") {
			t.Errorf("%s: created %+v, want %d; lost: %q", name, v, r.Sums.ThreadsCreated, sc.lost)
		}
		for _, e := range r.Executables {
			v, created := s.value(e.Name, &m), e.Sums.ThreadsCreated
			if v.lo != nil && *v.lo != float64(created) || v.lo == nil && created > 0 {
				t.Errorf("%s: %s created %+v, want %d", name, e.Name, v, e.Sums.ThreadsCreated)
			}
		}
	}
}

func TestSamplesFor(t *testing.T) {
	for q, want := range map[float64]int64{0.5: 6, 0.9: 29, 0.99: 299, 0.999: 2995} {
		if got := SamplesFor(q); got != want {
			t.Errorf("quantile %v takes %d samples, want %d", q, got, want)
		}
	}
}

// The values of populations are those of the report's schema.
func TestPopulations(t *testing.T) {
	var schema struct {
		Properties struct {
			Costs struct {
				Items struct {
					Properties map[string]struct {
						Enum []any `json:"enum"`
					} `json:"properties"`
				} `json:"items"`
			} `json:"costs"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(report.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	for _, dimension := range []string{"locked", "state"} {
		var want []string
		for _, v := range schema.Properties.Costs.Items.Properties[dimension].Enum {
			switch v := v.(type) {
			case bool:
				want = append(want, map[bool]string{true: "true", false: "false"}[v])
			case string:
				want = append(want, v)
			}
		}
		if !slices.Equal(want, populations[dimension]) {
			t.Errorf("%s: %v, the schema has %v", dimension, populations[dimension], want)
		}
	}
}

// What can be read of files, and what is said of those that can't.
func TestReadSubject(t *testing.T) {
	var one, line bytes.Buffer
	r := window(nil)
	if err := report.WriteJSON(&one, r); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteNDJSON(&line, r); err != nil {
		t.Fatal(err)
	}
	final := strings.TrimSuffix(strings.TrimSpace(line.String()), "}") + `,"final":true}` + "\n"
	group := `{"schema":"pinwatch.group/v1","reports":[],"summary":{"schema":"pinwatch.summary/v1"}}`
	for _, c := range []struct{ text, want string }{
		{one.String(), ""},
		{line.String(), ""},
		{line.String() + final, ""},
		{group, ""},
		{line.String() + line.String(), "f: it breaks off before the report of the whole observation"},
		{one.String()[:500], "f: it breaks off"},
		{"", "f: it is empty"},
		{"hello", "f: no report of pinwatch in JSON"},
		{"[]", "f: no report of pinwatch"},
		{"null", `f: its schema is ""`},
		{`{"schema":"pinwatch.report/v2"}`, `f: its schema is "pinwatch.report/v2"; want pinwatch.report/v1`},
		{`{"schema":"pinwatch.group/v1"}`, "f: no report of pinwatch"},
		{`{"schema":"pinwatch.report/v1","counts":{"threads":"8"}}`, "f: json: cannot unmarshal string"},
	} {
		s, err := ReadSubject("f", strings.NewReader(c.text))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%.60q: %v, %v; want %q", c.text, s != nil, err, c.want)
		}
	}
	s, err := ReadSubject("f", strings.NewReader(`{"schema":"pinwatch.report/v1"}`))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := findMetric("threads_exited_locked") // a key that is not there is not 0
	if v := s.value("", &m); v.lo != nil || v.hi != nil {
		t.Errorf("of an empty report: %+v", v)
	}
}

package report_test

import (
	"math"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
)

func show(v *float64) any {
	if v == nil {
		return "null"
	}
	return *v
}

// Sums that the schema promises are correct in every report.
func TestRowsAddUp(t *testing.T) {
	for name, r := range reporttest.Reports() {
		for _, c := range r.Costs {
			var n int64
			for _, h := range c.Hist {
				n += h[1]
			}
			if n != c.N {
				t.Errorf("%s: %s %s: histogram holds %d samples of %d", name, c.ID, c.Phase, n, c.N)
			}
			if (c.N == 0) != (c.P50 == nil) || (c.N == 0) != (c.Mean == nil) || (c.N == 0) != (c.Max == nil) {
				t.Errorf("%s: %s %s: n %d, but the statistics are null, or are not", name, c.ID, c.Phase,
					c.N)
			}
			if c.Star != (c.RangeNS != nil) || c.Star != (c.Verdict != nil) || c.Star != (c.Holds != nil) {
				t.Errorf("%s: %s %s: star %t without range and verdict, or the other way round", name, c.ID, c.Phase,
					c.Star)
			}
		}
		caused := map[string]uint64{}
		for _, c := range r.Causes {
			caused[c.What] += c.N
		}
		if caused["create"] != r.Counts.ThreadsCreated || caused["exit"] != r.Counts.ThreadsExited ||
			r.Counts.SigurgSent != nil && caused["preempt"] != *r.Counts.SigurgSent {
			t.Errorf("%s: causes %v do not add up to the counts", name, caused)
		}
		var lost uint64
		for _, n := range r.Loss.ByKind {
			lost += n
		}
		if lost != r.Loss.Total {
			t.Errorf("%s: lost by kind %d, total %d", name, lost, r.Loss.Total)
		}
	}
}

func TestVerdicts(t *testing.T) {
	want := map[string]struct {
		word  string
		holds bool
		n     int64
	}{
		"P-8": {"in", true, 118}, "P-9": {"above", true, 114}, "P-5": {"open", false, 330},
	}
	vs := report.New(reporttest.Meta(), reporttest.Rich()).Verdicts
	if len(vs) != len(want) {
		t.Fatalf("%d verdicts, want %d", len(vs), len(want))
	}
	for _, v := range vs {
		if w := want[v.Statement]; v.Verdict != w.word || v.Holds != w.holds || v.N != w.n {
			t.Errorf("%s: %s over %d, holds %t; want %+v", v.Statement, v.Verdict, v.N, v.Holds, w)
		}
	}
	for _, v := range report.New(reporttest.Meta(), &correlate.Result{}).Verdicts {
		if v.Verdict != "too_few" || v.Holds || v.N != 0 {
			t.Errorf("%s of nothing: %s over %d, holds %t", v.Statement, v.Verdict, v.N, v.Holds)
		}
	}
}

// An upper bound that exists for targets on a CPU only still counts for the verdict.
func TestOnlyPartOfABound(t *testing.T) {
	r := report.New(reporttest.Meta(), &correlate.Result{Costs: []correlate.Cost{
		reporttest.Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "lower"}, 20, 1500, 0.01),
		reporttest.Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "upper",
			Population: correlate.Population{State: "on_cpu"}}, 10, 2500, 0.01),
	}})
	if v := r.Verdicts[2]; v.Verdict != "in" || !v.Holds || v.N != 10 {
		t.Errorf("%s: %s over %d, holds %t; want in over 10", v.Statement, v.Verdict, v.N, v.Holds)
	}
}

// A cost with lost records is a lower bound. It still has a verdict.
func TestLostRecordsMakeBounds(t *testing.T) {
	r := report.New(reporttest.Meta(), reporttest.Lossy())
	if v := r.Verdicts[0]; v.Verdict != "in" || v.Holds || v.N != 118 {
		t.Errorf("%s: %s over %d, holds %t; want in over 118, not holding", v.Statement, v.Verdict, v.N, v.Holds)
	}
}

func TestRates(t *testing.T) {
	r := report.New(reporttest.Meta(), &correlate.Result{Start: 1e9, End: 3e9,
		Counts: correlate.Counts{Switches: 3000, Migrations: 7}})
	if r.Moves.PerSecond == nil || *r.Moves.PerSecond != 3.5 || r.Moves.PerKiloSwitches == nil ||
		math.Abs(*r.Moves.PerKiloSwitches-7.0/3) > 1e-5 {
		t.Errorf("per second %s, per 1,000 switches %s", show(r.Moves.PerSecond), show(r.Moves.PerKiloSwitches))
	}
	if r.Window.DurationS != 2 {
		t.Errorf("window of %g s", r.Window.DurationS)
	}
}

// What a quota took from a thread is apart from its waiting for a CPU, also where the use of the quota
// is not known, as after the target's end: else the parts of its time would not sum to the window.
func TestThrottledWithoutQuota(t *testing.T) {
	res, why := reporttest.Rich(), "no such file"
	res.ThrottlesKnown = true
	res.Threads[0].Throttled = 7
	meta := reporttest.Meta()
	meta.Pauses.QuotaUnknown = &why
	if ns := report.New(meta, res).Threads[0].ThrottledNS; ns == nil || *ns != 7 {
		t.Errorf("throttled_ns is %v, want 7", ns)
	}
	res.ThrottlesKnown = false
	if ns := report.New(meta, res).Threads[0].ThrottledNS; ns != nil {
		t.Errorf("throttled_ns is %d, and was not read", *ns)
	}
}

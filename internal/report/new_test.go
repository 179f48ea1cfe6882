package report_test

import (
	"math"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
)

func show(v *float64) any {
	if v == nil {
		return "null"
	}
	return *v
}

// TestRowsAddUp: what the schema says adds up does, in every report.
func TestRowsAddUp(t *testing.T) {
	for name, r := range reports() {
		for _, c := range r.Costs {
			var n int64
			for _, h := range c.Hist {
				n += h[1]
			}
			if n != c.N {
				t.Errorf("%s: %s %s: histogram holds %d samples of %d", name, c.ID, c.Phase, n, c.N)
			}
			if (c.N == 0) != (c.P50 == nil) || (c.N == 0) != (c.Mean == nil) || (c.N == 0) != (c.Max == nil) {
				t.Errorf("%s: %s %s: n %d, but statistics are null or not the wrong way round", name, c.ID, c.Phase, c.N)
			}
			if c.Star != (c.RangeNS != nil) || c.Star != (c.Verdict != nil) || c.Star != (c.Holds != nil) {
				t.Errorf("%s: %s %s: star %t without range and verdict, or the other way round", name, c.ID, c.Phase, c.Star)
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
	vs := report.New(meta(), rich()).Verdicts
	if len(vs) != len(want) {
		t.Fatalf("%d verdicts, want %d", len(vs), len(want))
	}
	for _, v := range vs {
		if w := want[v.Statement]; v.Verdict != w.word || v.Holds != w.holds || v.N != w.n {
			t.Errorf("%s: %s over %d, holds %t; want %+v", v.Statement, v.Verdict, v.N, v.Holds, w)
		}
	}
	for _, v := range report.New(meta(), &correlate.Result{}).Verdicts {
		if v.Verdict != "too_few" || v.Holds || v.N != 0 {
			t.Errorf("%s of nothing: %s over %d, holds %t", v.Statement, v.Verdict, v.N, v.Holds)
		}
	}
}

// TestOnlyPartOfABound: an upper bound that exists for targets on a CPU only still counts for the verdict.
func TestOnlyPartOfABound(t *testing.T) {
	r := report.New(meta(), &correlate.Result{Costs: []correlate.Cost{
		around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "lower"}, 20, 1500, 0.01),
		around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "upper", Population: correlate.Population{State: "on_cpu"}}, 10, 2500, 0.01),
	}})
	if v := r.Verdicts[2]; v.Verdict != "in" || !v.Holds || v.N != 10 {
		t.Errorf("%s: %s over %d, holds %t; want in over 10", v.Statement, v.Verdict, v.N, v.Holds)
	}
}

// TestLostRecordsMakeBounds: the correlator marks a cost whose records were lost as a lower bound; it is still found and counted.
func TestLostRecordsMakeBounds(t *testing.T) {
	r := report.New(meta(), lossy())
	if v := r.Verdicts[0]; v.Verdict != "in" || v.Holds || v.N != 118 {
		t.Errorf("%s: %s over %d, holds %t; want in over 118, not holding", v.Statement, v.Verdict, v.N, v.Holds)
	}
}

func TestRates(t *testing.T) {
	r := report.New(meta(), &correlate.Result{Start: 1e9, End: 3e9, Counts: correlate.Counts{Switches: 3000, Migrations: 7}})
	if r.Moves.PerSecond == nil || *r.Moves.PerSecond != 3.5 || r.Moves.PerKiloSwitches == nil || math.Abs(*r.Moves.PerKiloSwitches-7.0/3) > 1e-5 {
		t.Errorf("per second %s, per 1,000 switches %s", show(r.Moves.PerSecond), show(r.Moves.PerKiloSwitches))
	}
	if r.Window.DurationS != 2 {
		t.Errorf("window of %g s", r.Window.DurationS)
	}
}

package contract

import (
	"fmt"
	"slices"
	"testing"
)

// Losses and other load make an outcome inconclusive where they can explain it.
func TestLossAndNoise(t *testing.T) {
	judge := func(id string, disturb func(*Record), lines ...string) string {
		s, _ := Find(id)
		e := evidence(t, "go1.26.8", lines...)
		for _, r := range e.Experiments {
			disturb(r)
		}
		return s.Judge(e).Verdict
	}
	lossy := func(r *Record) { r.Lossy = true }
	noise := func(r *Record) { r.Noise = 1 }
	moment := func(r *Record) { r.Noise = 0.1 }
	for _, tt := range []struct {
		what, id string
		disturb  func(*Record)
		lines    []string
		want     string
	}{
		{"a cost of a lossy run", "P-8", lossy, []string{churned}, Inconclusive},
		{"exits missing in a lossy run", "O-linux", lossy, []string{churned, stormed, "churn: cloned=300"},
			Inconclusive},
		{"a cost beside other load", "P-8", noise, []string{churned}, Holds},
		{"a cost beside other load, above, which the load may cause", "P-9", noise, []string{"churn: exit~31000x60"},
			Inconclusive},
		{"a cost beside other load, whose fastest tenth is above", "P-9", noise, []string{"churn: exit~60000x60"},
			OutOfRange},
		{"a cost beside other load, near the upper end", "P-9", noise, []string{"churn: exit~30000x60"}, Inconclusive},
		{"a cost beside other load, near the lower end", "P-9", noise, []string{"churn: exit~11000x60"}, Borderline},
		{"a cost beside other load, below", "P-9", noise, []string{"churn: exit~5000x60"}, OutOfRange},
		{"both bounds far above beside other load", "P-5", noise,
			[]string{stormed, "storm: preempt_lower~9000x60 preempt_upper~9000x60"}, OutOfRange},
		{"a late goroutine beside other load", "G-7", noise, []string{inSyscall, "syscall: long_others_ran=23"},
			Inconclusive},
		{"a late goroutine", "G-7", func(*Record) {}, []string{inSyscall, "syscall: long_others_ran=23"}, Refuted},
		{"one loop late beside a moment of other load", "G-6", moment,
			[]string{stormed, "tight: locked_interrupted=99 locked_trials=100"}, Inconclusive},
		{"more loops late than a moment explains", "G-6", moment,
			[]string{stormed, "tight: locked_interrupted=60 locked_trials=100"}, Refuted},
		{"one loop late without other load", "G-6", func(*Record) {},
			[]string{stormed, "tight: locked_interrupted=99 locked_trials=100"}, Refuted},
		{"a thread less while they are counted, beside a moment of other load", "X-5", moment,
			[]string{"counts: metric_total=102 kernel_threads=101"}, Inconclusive},
		{"a move beside other load is a move", "G-1", noise, []string{calm, "migrate: locked_moves=1"}, Refuted},
		{"no effect, beside load that slows both alike", "P-7", noise, []string{inC, "cgo: short_beside_0~1x60"}, Refuted},
		{"a thread that stayed on its CPU", "N-1", func(*Record) {}, []string{same, "inherit: cpu_changes=0"}, NotWitnessed},
		{"a thread that stayed on its CPU beside other load", "N-1", noise, []string{same, "inherit: cpu_changes=0"},
			Inconclusive},
		{"a thread that changed CPUs beside other load", "N-1", noise, []string{same}, Witnessed},
		{"alike costs beside other load", "N-6", noise, []string{"storm: preempt_upper~2000x300"}, Inconclusive},
		{"no tax beside other load", "X-1", noise, []string{"handoff: tax~3x50"}, Inconclusive},
	} {
		if got := judge(tt.id, tt.disturb, tt.lines...); got != tt.want {
			t.Errorf("%s: %s %s, want %s", tt.what, tt.id, got, tt.want)
		}
	}
}

// Absolute times are not testable in an emulator.
func TestEmulated(t *testing.T) {
	for id, want := range map[string]string{"P-8": NotTestable, "P-3": NotTestable, "P-5": NotTestable,
		"N-6": NotTestable, "P-6": Holds, "P-7": Holds, "G-7": Holds, "X-1": Holds} {
		s, _ := Find(id)
		e := evidence(t, "go1.26.8", cases[id].good...)
		e.Emulated = true
		if o := s.Judge(e); o.Verdict != want {
			t.Errorf("%s: %s, want %s", id, o.Verdict, want)
		}
	}
}

// A delay or a higher cost in an emulator refutes nothing. An event that must not happen does.
func TestEmulatorIsSlow(t *testing.T) {
	for _, tt := range []struct{ id, line, want string }{
		{"G-6", "tight: locked_interrupted=2", NotTestable},
		{"G-7", "syscall: long_others_ran=23", NotTestable},
		{"P-7", "cgo: short_beside_0~1x60", NotTestable},
		{"X-1", "handoff: tax~3x50", NotTestable},
		{"G-1", "migrate: locked_moves=1", Refuted},
	} {
		s, _ := Find(tt.id)
		e := evidence(t, "go1.26.8", append(slices.Clone(cases[tt.id].good), tt.line)...)
		e.Emulated = true
		if o := s.Judge(e); o.Verdict != tt.want {
			t.Errorf("%s with %s: %s, want %s", tt.id, tt.line, o.Verdict, tt.want)
		}
	}
}

// The overhead of pinwatch is not part of the claimed cost.
func TestBias(t *testing.T) {
	s, _ := Find("P-9")
	for _, tt := range []struct {
		around, bias float64
		want         string
	}{{38_000, 0, OutOfRange}, {39_000, 1_000, OutOfRange}, {38_000, 9_000, Borderline}, {14_000, 9_000,
		Borderline}, {20_000, 2_000, Holds}} {
		e := evidence(t, "go1.26.8", fmt.Sprintf("churn: exit~%gx60", tt.around))
		sample := e.Experiments["churn"].Samples["exit"]
		sample.Bias = tt.bias
		e.Experiments["churn"].Samples["exit"] = sample
		if o := s.Judge(e); o.Verdict != tt.want {
			t.Errorf("%g ns with %g ns of overhead: %s, want %s", tt.around, tt.bias, o.Verdict, tt.want)
		}
	}
}

// The interval is at least as wide as the processes differ.
func TestProcessesDiffer(t *testing.T) {
	s, _ := Find("P-9")
	for _, tt := range []struct {
		around []float64
		want   string
	}{
		{[]float64{39e3, 40e3, 38e3, 42e3, 39e3, 41e3}, OutOfRange},
		{[]float64{21e3, 22e3, 20e3, 23e3, 21e3, 22e3}, Holds},
		{[]float64{28e3, 40e3, 38e3, 42e3, 39e3, 41e3}, Borderline},
		{[]float64{28e3, 29e3, 31e3, 27e3, 28e3, 28e3}, Borderline},
		{[]float64{32e3, 40e3, 38e3}, OutOfRange}, // too few processes: by all values
	} {
		var e Evidence
		for _, ns := range tt.around {
			e.Merge(evidence(t, "go1.26.8", fmt.Sprintf("churn: exit~%gx60", ns)))
		}
		if o := s.Judge(e); o.Verdict != tt.want {
			t.Errorf("processes around %g ns: %s, want %s; got %s", tt.around, o.Verdict, tt.want, o.Got)
		}
	}
}

// A statement is not testable outside its scope.
func TestScope(t *testing.T) {
	s, _ := Find("M-1")
	for version, want := range map[string]string{"go1.20.14": NotTestable, "go1.21.13": Refuted, "go1.27rc1": Refuted} {
		if o := s.Judge(evidence(t, version, named, "names: metric_specified=0")); o.Verdict != want {
			t.Errorf("M-1 on %s: %s, want %s", version, o.Verdict, want)
		}
	}
	s, _ = Find("P-8")
	for arch, want := range map[string]string{"amd64": Holds, "arm64": NotTestable} {
		e := evidence(t, "go1.26.8", churned)
		e.Arch = arch
		if o := s.Judge(e); o.Verdict != want {
			t.Errorf("P-8 on %s: %s, want %s", arch, o.Verdict, want)
		}
	}
}

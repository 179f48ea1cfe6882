package verify

import (
	"context"
	"errors"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/vet"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func lab(t *testing.T) *Lab {
	return &Lab{GoVersion: "go1.26.8", Program: []string{testenv.WorkloadProgram(t)},
		Unobserved: "this test observes nothing",
		Cgo:        func(context.Context) ([]string, error) { return nil, errors.New("this test has no C") },
		Control:    func(context.Context) (string, error) { return "", errors.New("this test has no C") }}
}

// building is a lab that builds programs.
func building(t *testing.T) *Lab {
	b := &builder{}
	t.Cleanup(b.remove)
	l := b.lab(Options{Builtin: lab(t).Program})
	l.Unobserved = lab(t).Unobserved
	return l
}

// judge does the experiments and judges each statement. It ignores noise, because the tests change
// the world by more than noise can.
func judge(t *testing.T, l *Lab, ids ...string) map[string]contract.Outcome {
	t.Helper()
	var statements []contract.Statement
	for _, id := range ids {
		s, ok := contract.Find(id)
		if !ok {
			t.Fatalf("no statement %s", id)
		}
		statements = append(statements, s)
	}
	return judgeStatements(t, l, statements)
}

func judgeStatements(t *testing.T, l *Lab, statements []contract.Statement) map[string]contract.Outcome {
	t.Helper()
	e, err := Run(t.Context(), l, Plan(statements), func(string, int) {})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range e.Experiments {
		r.Noise = 0
		if r.Failed != "" {
			t.Logf("%s: %s", name, r.Failed)
		}
	}
	outcomes := map[string]contract.Outcome{}
	for _, s := range statements {
		outcomes[s.ID] = s.Judge(e)
	}
	return outcomes
}

// A changed world gives other verdicts: no verdict is fixed in advance.
func TestVerdictsFollowTheWorld(t *testing.T) {
	for _, tt := range []struct {
		what    string
		godebug string
		alter   map[string][]string
		want    map[string]string
	}{
		{"locks left out", "", map[string][]string{
			"migrate": {"-skip-lock"}, "nest": {"-skip-lock"}, "exits": {"-skip-lock"}, "gcpin": {"-skip-lock"},
			"onmain": {"-skip-lock"}, "schedtrace": {"-skip-lock"},
		}, map[string]string{"G-1": contract.Refuted, "G-2": contract.Refuted, "G-3": contract.Refuted,
			"G-4": contract.Refuted, "G-9": contract.Refuted,
			"E-1": contract.Refuted, "E-2": contract.Refuted, "E-4": contract.Refuted, "E-7": contract.Refuted,
			"E-9": contract.Refuted,
			"M-6": contract.Refuted, "M-8": contract.Refuted, "V-1.22": contract.Refuted}},
		{"unlocks left out", "", map[string][]string{"nest": {"-skip-unlock"}, "exits": {"-skip-unlock"},
			"reuse": {"-skip-unlock"}},
			map[string]string{"G-3": contract.Refuted, "G-5": contract.Refuted, "N-8": contract.Refuted}},
		{"each makes the other's calls, panics are recovered", "",
			map[string][]string{"cross": {"-swap"}, "exits": {"-recover"}},
			map[string]string{"E-6": contract.Refuted, "E-5": contract.Refuted, "R-5": contract.Refuted}},
		{"slow calls, uncounted goroutines, missing labels", "",
			map[string][]string{"lockcost": {"-slow", "300"}, "counts": {"-stray"}, "labels": {"-skip-labels"},
				"schedtrace": {"-no-trace"}},
			map[string]string{"P-3": contract.OutOfRange, "P-4": contract.OutOfRange, "M-3": contract.Refuted,
				"M-5": contract.Refuted, "R-6": contract.Refuted,
				"M-7": contract.Inconclusive}},
		{"a lock that changes its thread", "", map[string][]string{"inherit": {"-alter"}},
			map[string]string{"N-1": contract.Refuted, "N-2": contract.Refuted, "N-3": contract.Refuted}},
		{"no preemption by signals", "asyncpreemptoff=1", nil,
			map[string]string{"G-6": contract.Refuted, "P-6": contract.Refuted, "V-1.14": contract.Refuted}},
		{"loops that call functions", "", map[string][]string{"tight": {"-with-calls"}},
			map[string]string{"V-1.13": contract.Refuted}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			if tt.godebug != "" {
				t.Setenv("GODEBUG", tt.godebug)
			}
			l := lab(t)
			l.Alter = tt.alter
			var ids []string
			for id := range tt.want {
				ids = append(ids, id)
			}
			for id, o := range judge(t, l, ids...) {
				if o.Verdict != tt.want[id] {
					t.Errorf("%s: %s, want %s; got %s, why %s", id, o.Verdict, tt.want[id], o.Got, o.Why)
				}
			}
		})
	}
}

// In the unchanged world every guarantee without an exception holds.
func TestGuarantees(t *testing.T) {
	for id, o := range judge(t, lab(t), "G-1", "G-3", "E-1", "E-2", "E-3", "E-9", "N-8",
		"M-3", "M-5") {
		if o.Verdict != contract.Holds {
			t.Errorf("%s: %s; got %s, why %s", id, o.Verdict, o.Got, o.Why)
		}
	}
}

// Statements that need kernel events are not testable without an observer, for the reason that the
// lab gives.
func TestUnobserved(t *testing.T) {
	for id, o := range judge(t, lab(t), "P-5", "P-8", "C-2", "O-linux") {
		if o.Verdict != contract.NotTestable || o.Why != "this test observes nothing" {
			t.Errorf("%s: %s, why %s", id, o.Verdict, o.Why)
		}
	}
}

// An experiment that fails decides nothing, and its error is the reason.
func TestFailure(t *testing.T) {
	l := lab(t)
	l.Alter = map[string][]string{"nest": {"-depth", "0"}}
	if o := judge(t, l, "G-3")["G-3"]; o.Verdict != contract.Inconclusive || !strings.Contains(o.Why, "failed") {
		t.Errorf("%s: %s", o.Verdict, o.Why)
	}
}

// The end of the context leaves out experiments that were not done, or half done.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	plan := []string{"nest", "cross", "gc"}
	e, err := Run(ctx, lab(t), plan, func(_ string, i int) {
		if i == 1 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || e.Experiments["nest"] == nil || e.Experiments["cross"] != nil ||
		e.Experiments["gc"] != nil {
		t.Errorf("%v, %v", e.Experiments, err)
	}
}

// Every experiment that a statement names exists, and every one that exists is named.
func TestExperimentsAndStatementsAgree(t *testing.T) {
	named := map[string]bool{}
	for _, s := range contract.Statements() {
		for _, name := range s.Experiments() {
			named[name] = true
		}
	}
	for _, x := range experiments() {
		if !named[x.name] {
			t.Errorf("no statement needs %s", x.name)
		}
		delete(named, x.name)
	}
	for name := range named {
		t.Errorf("there is no experiment %s", name)
	}
}

// The analyzer reports the sources that break a rule, for that rule, and no others.
func TestSources(t *testing.T) {
	files, err := sources.ReadDir("sources")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		rule, kind, _ := strings.Cut(strings.TrimSuffix(f.Name(), ".txt"), "_")
		if found, err := diagnosed("sources/"+f.Name(), rule); err != nil || found != (kind == "bad") {
			t.Errorf("%s: found %t, %v", f.Name(), found, err)
		}
		if !slices.Contains([]string{"good", "bad"}, kind) {
			t.Errorf("%s is neither good nor bad", f.Name())
		}
	}
}

// The check that judges a line here names that line in vet, and each line of the checklists that a
// check names is judged by one.
func TestChecksAndStatementsAgree(t *testing.T) {
	judged := map[string]string{} // rules, by statement
	for _, s := range contract.Statements() {
		for _, c := range s.Clauses {
			counts, _ := c.Test.Keys()
			if c.From != "source" {
				continue
			}
			rule, _, _ := strings.Cut(counts[0], "_")
			judged[s.ID] = rule
			i := slices.IndexFunc(vet.Checks, func(c vet.Check) bool { return c.Name == rule })
			if i < 0 || !slices.Contains(strings.Split(vet.Checks[i].Statement, ", "), s.ID) {
				t.Errorf("%s is judged by the check %s, which does not name it", s.ID, rule)
			}
		}
	}
	for _, c := range vet.Checks {
		for _, id := range strings.Split(c.Statement, ", ") {
			if s, ok := contract.Find(id); !ok || judged[id] == "" && s.Subject() == contract.OfPinwatch {
				t.Errorf("the check %s names %s, which no check judges", c.Name, id)
			}
		}
	}
}

// What breaks a lock's promise from elsewhere is an exception that was measured.
func TestExceptions(t *testing.T) {
	want := map[string]string{"G-2": "iter.Pull", "E-7": "iter.Pull", "V-1.22": "iter.Pull", "G-9": "by tid",
		"G-4": "iter.Pull", "G-5": "in init", "E-6": "iter.Pull"}
	if release, _ := contract.Minor(BuiltinRelease()); release < 23 {
		t.Fatalf("built by %s, which has no iter.Pull", BuiltinRelease())
	}
	for id, o := range judge(t, lab(t), slices.Collect(maps.Keys(want))...) {
		if o.Verdict != contract.HoldsExcept || !strings.Contains(o.Why, want[id]) {
			t.Errorf("%s: %s, got %s, why %s", id, o.Verdict, o.Got, o.Why)
		}
	}
	l := lab(t)
	l.Alter = map[string][]string{"elsewhere": {"-skip-call"}}
	if o := judge(t, l, "G-9")["G-9"]; o.Verdict != contract.Holds {
		t.Errorf("G-9 with calls for one thread alone: %s, got %s, why %s", o.Verdict, o.Got, o.Why)
	}
	l.Alter = map[string][]string{"lend": {"-skip-lock"}}
	if o := judge(t, l, "G-2")["G-2"]; o.Verdict != contract.Inconclusive || !strings.Contains(o.Why, "claims 1 locks") {
		t.Errorf("G-2 without the lock of iter.Pull's caller: %s, why %s", o.Verdict, o.Why)
	}
}

// A quota is followed when the number of CPUs is the quota's, on any machine.
func TestQuota(t *testing.T) {
	testenv.Require(t, testenv.CPUQuota)
	for _, tt := range []struct{ env, value, want string }{
		{"GODEBUG", "", contract.HoldsExcept},
		{"GODEBUG", "containermaxprocs=0", contract.Refuted},
		{"GOMAXPROCS", "8", contract.Refuted},
	} {
		t.Run(tt.env+"="+tt.value, func(t *testing.T) {
			t.Setenv(tt.env, tt.value)
			if o := judge(t, lab(t), "X-4")["X-4"]; o.Verdict != tt.want {
				t.Errorf("%s, want %s; got %s, why %s, %q", o.Verdict, tt.want, o.Got, o.Why, o.Warnings)
			}
		})
	}
}

// The parts of an experiment are spread over the plan, and there is time between them.
func TestParts(t *testing.T) {
	plan := Plan(contract.Statements())
	var at []int
	for i, name := range plan {
		if name == "churn" {
			at = append(at, i)
		}
	}
	if len(at) != contract.MinSamples || at[0] != 0 || at[len(at)-1] < 3*len(plan)/4 {
		t.Fatalf("parts at %v of %d", at, len(plan))
	}
	for i := 1; i < len(at); i++ {
		if gap := at[i] - at[i-1]; gap < len(plan)/8 || gap > len(plan)/4 {
			t.Errorf("parts at %v of %d", at, len(plan))
		}
	}
	l := lab(t)
	began := time.Now()
	e, err := Run(t.Context(), l, []string{"churn", "churn"}, func(string, int) {})
	if err != nil || time.Since(began) < partsApart || e.Experiments["churn"].Unable != l.Unobserved {
		t.Errorf("two parts in %v: %+v, %v", time.Since(began), e.Experiments["churn"], err)
	}
}

// The control has times of everything that it is a control for.
func TestControl(t *testing.T) {
	testenv.Require(t, testenv.CCompiler)
	e, err := Run(t.Context(), building(t), []string{"control"}, func(string, int) {})
	if err != nil {
		t.Fatal(err)
	}
	r := e.Experiments["control"]
	for _, name := range []string{"clone", "exit", "send_same", "send_other"} {
		s := r.Samples[name]
		if s.N == 0 && (name == "clone" || name == "exit" || runtime.NumCPU() < 2 && name == "send_other") {
			continue // no real-time priority here, or no second CPU
		}
		if s.N < contract.MinSamples || s.Values[0] <= 0 {
			t.Errorf("%s: %+v, %s", name, s, r.Failed)
		}
	}
}

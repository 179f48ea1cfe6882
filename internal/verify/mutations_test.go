package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Mutations of the workloads: their locks are left out, or every other one, or goroutines wait in
// another way. Where the specification claims an effect that there is not, the last makes it.
const (
	noLock    = "no lock"
	halfLocks = "half the locks"
	otherWait = "other waiting"
	madeUp    = "effect made up" // calls are cheaper for a locked goroutine
)

// effect is a statement that claims an effect of the lock: the verdict of the unchanged world, and
// the mutations that must change it, also when nobody looks into the runtime's memory whether the
// locks are there. A process with one lock has no half. Of a loop that times one call, half costs
// what the whole costs: 1.4 times an empty call.
type effect struct {
	verdict   string
	mutations []string
	without   []string // experiments that refute the statement whatever is locked; they are left out
}

var lockEffects = map[string]effect{
	"G-1": {contract.Holds, both, nil}, "G-2": {contract.HoldsExcept, both, nil}, "G-3": {contract.Holds, both, nil},
	"G-4": {contract.HoldsExcept, both, nil}, "G-5": {contract.HoldsExcept, both, nil}, "G-6": {contract.Holds, both, nil},
	"G-7": {contract.HoldsExcept, all, nil}, "G-8": {contract.Holds, both,
		[]string{"names"}}, "G-9": {contract.HoldsExcept, both, nil},

	"P-1": {contract.HoldsExcept, both, nil}, "P-2": {contract.Holds, all, nil}, "P-3": {contract.HoldsExcept, one, nil},
	"P-4": {contract.Holds, one, nil}, "P-6": {contract.Holds, both, nil},
	"P-7": {contract.Refuted, append(both, madeUp), nil}, "P-10": {contract.HoldsExcept, all, nil},

	"M-1": {contract.Holds, both, []string{"names"}}, "M-2": {contract.Holds, both, nil}, "M-3": {contract.Holds, both,
		nil},
	"M-4": {contract.Holds, both, []string{"names", "counts"}}, "M-5": {contract.Holds, both,
		nil}, "M-6": {contract.Holds, both, nil},
	"M-8": {contract.Holds, both, nil},

	"N-1": {contract.Witnessed, both, nil}, "N-2": {contract.Holds, both, nil}, "N-3": {contract.Holds, both, nil},
	"N-4": {contract.Witnessed, both, nil}, "N-5": {contract.Witnessed, both, nil}, "N-7": {contract.Witnessed, both, nil},
	"N-8": {contract.Holds, both, nil},

	"E-1": {contract.Holds, both, nil}, "E-2": {contract.Holds, one, nil}, "E-3": {contract.Holds, one, nil},
	"E-4": {contract.HoldsExcept, both, nil}, "E-5": {contract.Holds, both, nil}, "E-6": {contract.HoldsExcept, both, nil},
	"E-7": {contract.HoldsExcept, both, nil}, "E-8": {contract.Holds, one, nil}, "E-9": {contract.Holds, all, nil},

	"V-1.13": {contract.Holds, all, nil}, "V-1.14": {contract.Holds, both, nil}, "V-1.22": {contract.HoldsExcept, both,
		nil},
	"C-8": {contract.Holds, both, nil}, "C-9": {contract.Holds, both, nil},
	"R-5": {contract.Holds, both, nil}, "R-6": {contract.Holds, both, nil},
	"X-1": {contract.Holds, all, nil}, "X-2": {contract.Holds, one, nil}, "X-3": {contract.Holds, all, nil},
}

var (
	one  = []string{noLock}
	both = []string{noLock, halfLocks}
	all  = []string{noLock, halfLocks, otherWait}
)

// withoutLock is why no mutation of a lock concerns a statement.
var withoutLock = map[string]string{
	"P-5": observed, "P-8": observed, "P-9": observed, "N-6": observed, "O-linux": observed,
	"M-7": "it is about a line of the runtime", "E-10": "the runtime's lock cannot be left out",
	"V-1.16": aboutRelease, "V-1.21": aboutRelease, "X-4": aboutRelease, "X-5": aboutRelease,
	"O-macos": elsewhere, "O-windows": elsewhere, "O-other": elsewhere,
	"C-1": judgesPinwatch, "C-2": judgesPinwatch, "C-3": judgesPinwatch, "C-4": judgesPinwatch, "C-5": judgesPinwatch,
	"C-7": judgesPinwatch, "C-10": judgesPinwatch, "R-1": judgesPinwatch, "R-2": judgesPinwatch,
	"R-3": judgesPinwatch, "R-4": judgesPinwatch,
	"C-6": "it is about threads that nobody holds",
}

// byPremise lists the statements whose claims come out alike without the lock, with what they then
// measured (two CPUs, Go 1.26). What changes is their premise: what the same account has about the
// threads of its goroutines.
var byPremise = map[string]string{
	"G-5":    "a thread that was never locked is used by others, too: 39 of 48",
	"G-6":    "an unlocked loop is interrupted, too: 233 of 233 times",
	"P-2":    "half the locks make 347 new threads in 72 bursts, which run in time, too; none make 10",
	"P-3":    "no call costs less than 100 ns, too: 1.7 ns",
	"P-4":    "no call costs less than 100 ns, too: 1.7 ns",
	"P-6":    "chance makes one of two equal costs significantly dearer in 1 of 40 runs",
	"P-7":    "calls cost the same without the lock: 0.996 to 1.01 times",
	"M-2":    "16 locked workers of 32 are too many for 2 Ps, too; and chance, as for P-6",
	"M-3":    "unlocked goroutines are counted, too: 20 of 20",
	"M-5":    "unlocked workers have labels, too: 3 of 3",
	"N-1":    "nothing changes without a lock, either: 3 of 3 masks; and the kernel moves every thread",
	"N-2":    "nothing changes without a lock, either: 3 of 3 values",
	"N-3":    "nothing changes without a lock, either: 3 of 3 policies",
	"N-4":    "unlocked goroutines get other threads from run to run, too: 16 outcomes in 20 runs",
	"N-5":    "unlocked goroutines begin in different orders, too: 13 in 20 runs",
	"N-7":    "idle threads that nobody had locked stay parked, too: 20 of 60",
	"V-1.13": "an unlocked loop is not interrupted, either: 0 of 15 times",
	"V-1.14": "an unlocked loop is interrupted, too: 233 of 233 times",
	"R-6":    "unlocked workers have labels, too: 3 of 3",
	"X-1":    "one locked goroutine of two makes a hand-off 21 times dearer",
	"X-3":    "the P of an unlocked goroutine is taken, too, after 172 µs",
}

const (
	observed       = "it needs kernel events: see TestMutationsOfEvents in internal/truth"
	aboutRelease   = "it is about the release, not about a lock"
	elsewhere      = "it is about other systems"
	judgesPinwatch = "it judges pinwatch by programs that break it and keep it"
)

// mutate is how the workloads of a mutation are altered. Trials are shortened where that proves as
// much.
func mutate(mutation string) map[string][]string {
	alter := map[string][]string{"migrate": {"-samples", "800"}, "retake": {"-n", "24"}, "cgoretake": {"-n", "24"},
		"inherit": {"-n", "6", "-samples", "400"}, "gcpin": {"-samples", "250"}, "onmain": {"-samples", "300"},
		"nest":  {"-samples", "100"},
		"cross": {"-samples", "600"}, "exits": {"-n", "3", "-watch", "60ms"}, "counts": {"-n", "8"},
		"slices": {"-rounds", "6", "-length", "300ms"}, "tight": {"-rounds", "2", "-chunks", "4"}}
	add := func(flag string, names ...string) {
		for _, name := range names {
			alter[name] = append(alter[name], strings.Fields(flag)...)
		}
	}
	several := []string{"migrate", "nest", "cross", "exits", "reuse", "parked", "retake", "grow", "lockcost", "tax",
		"tight",
		"slices", "gcpin", "inherit", "counts", "overpin", "labels", "schedtrace", "leak", "cgocalls", "cgoretake"}
	switch mutation {
	case noLock:
		add("-skip-lock", several...)
		add("-skip-lock", "onmain", "lend")
		add("-direct", "callbacks")
		add("-rounds 1", "grow")
	case halfLocks:
		add("-half-lock", several...)
		add("-rounds 1", "grow")
	case otherWait:
		add("-park -block 40ms", "retake", "cgoretake")
		add("-unlock", "grow")
		add("-no-gc", "gcpin")
		add("-with-calls", "tight")
		add("-batched -batch 2000", "tax")
	case madeUp:
		add("-more 15", "cgocalls")
	}
	return alter
}

// affectedBy lists the statements that a mutation must change.
func affectedBy(mutation string) (statements []contract.Statement) {
	for _, s := range contract.Statements() {
		e := lockEffects[s.ID]
		if !slices.Contains(e.mutations, mutation) {
			continue
		}
		s.Clauses = slices.DeleteFunc(slices.Clone(s.Clauses), func(c contract.Clause) bool {
			return slices.Contains(e.without, c.From)
		})
		statements = append(statements, s)
	}
	return statements
}

// Every statement that claims an effect of the lock gets another verdict when its workload's locks
// are left out, and so on, by what the experiment saw of the effect. Where the runtime's memory lacks
// locks, there is no verdict at all. The test prints the table of verdicts by the effect alone; a star
// marks those that only the premise changed, with the reason.
func TestMutations(t *testing.T) {
	testenv.Require(t, testenv.CCompiler, testenv.Toolchain)
	for _, s := range contract.Statements() {
		_, effect := lockEffects[s.ID]
		if _, without := withoutLock[s.ID]; effect == without {
			t.Errorf("%s: neither in the table of effects, nor with a reason why not, or both", s.ID)
		}
	}
	l := building(t)
	mutations := append(all, madeUp)
	verdicts, bare := map[string]map[string]contract.Outcome{}, map[string]map[string]contract.Outcome{}
	for _, mutation := range mutations {
		l.Alter = mutate(mutation)
		verdicts[mutation], bare[mutation] = judgeEffects(t, l, affectedBy(mutation))
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-10s%-14s", "", "unchanged")
	for _, mutation := range mutations {
		fmt.Fprintf(&table, "%-16s", mutation)
	}
	for _, s := range contract.Statements() {
		e, effect := lockEffects[s.ID]
		if !effect {
			fmt.Fprintf(&table, "\n%-10s%s", s.ID, withoutLock[s.ID])
			continue
		}
		fmt.Fprintf(&table, "\n%-10s%-14s", s.ID, e.verdict)
		for _, mutation := range mutations {
			verdict := "–"
			if slices.Contains(e.mutations, mutation) {
				o := verdicts[mutation][s.ID]
				if verdict = o.Verdict; verdict == e.verdict {
					t.Errorf("%s with %s is still %s: got %s, why %s", s.ID, mutation, o.Verdict, o.Got, o.Why)
				}
				if o := bare[mutation][s.ID]; o.Verdict == e.verdict {
					verdict += " *"
					if byPremise[s.ID] == "" {
						t.Errorf("%s with %s has another verdict by its premise alone: got %s", s.ID, mutation, o.Got)
					}
				}
			}
			fmt.Fprintf(&table, "%-16s", verdict)
		}
		fmt.Fprint(&table, byPremise[s.ID])
	}
	t.Logf("verdicts by mutation\n%s", &table)
}

// judgeEffects judges the statements as if the locks were there; bare are the outcomes without
// premises. It checks that none of them keeps its verdict where an experiment of its lacks locks.
func judgeEffects(t *testing.T, l *Lab, statements []contract.Statement) (outcomes, bare map[string]contract.Outcome) {
	t.Helper()
	e := experimented(t, l, statements)
	outcomes, bare = map[string]contract.Outcome{}, map[string]contract.Outcome{}
	for _, s := range statements {
		lacks := func(name string) bool { return e.Experiments[name].Unheld }
		if o := s.Judge(e); slices.ContainsFunc(s.Experiments(), lacks) && o.Verdict == lockEffects[s.ID].verdict {
			t.Errorf("%s without the locks it is about: %s, got %s", s.ID, o.Verdict, o.Got)
		}
	}
	for name, r := range e.Experiments {
		switch {
		case r.Unheld:
			r.Failed = ""
		case r.Failed != "":
			t.Errorf("%s: %s", name, r.Failed)
		}
	}
	for _, s := range statements {
		outcomes[s.ID] = s.Judge(e)
		s.Clauses = slices.DeleteFunc(slices.Clone(s.Clauses), func(c contract.Clause) bool {
			return c.Role == contract.Premise
		})
		bare[s.ID] = s.Judge(e)
	}
	return outcomes, bare
}

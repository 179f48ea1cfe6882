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
// another way.
const (
	noLock    = "no lock"
	halfLocks = "half the locks"
	otherWait = "other waiting"
)

// effect is a statement that claims an effect of the lock: the verdict of the unchanged world, and
// the mutations that must change it. A process with one lock has no half.
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

	"P-1": {contract.HoldsExcept, both, nil}, "P-2": {contract.Holds, all, nil}, "P-3": {contract.HoldsExcept, both, nil},
	"P-4": {contract.Holds, both, nil}, "P-6": {contract.Holds, both, nil}, "P-7": {contract.Refuted, both, nil},
	"P-10": {contract.HoldsExcept, all, nil},

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

const (
	observed       = "it needs kernel events: see TestMutationsOfEvents in internal/truth"
	aboutRelease   = "it is about the release, not about a lock"
	elsewhere      = "it is about other systems"
	judgesPinwatch = "it judges pinwatch by programs that break it and keep it"
)

// mutate is how the workloads of a mutation are altered. Trials are shortened where that proves as
// much.
func mutate(mutation string) map[string][]string {
	alter := map[string][]string{"migrate": {"-samples", "1500"}, "retake": {"-n", "24"}, "cgoretake": {"-n", "24"},
		"inherit": {"-n", "6"}, "gcpin": {"-samples", "400"}, "onmain": {"-samples", "800"}}
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
	case halfLocks:
		add("-half-lock", several...)
	case otherWait:
		add("-park -block 20ms", "retake", "cgoretake")
		add("-unlock", "grow")
		add("-no-gc", "gcpin")
		add("-with-calls", "tight")
		add("-batched -batch 2000", "tax")
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
// are left out, and so on. The test prints the table.
func TestMutations(t *testing.T) {
	testenv.Require(t, testenv.CCompiler, testenv.Toolchain)
	for _, s := range contract.Statements() {
		_, effect := lockEffects[s.ID]
		if _, without := withoutLock[s.ID]; effect == without {
			t.Errorf("%s: neither in the table of effects, nor with a reason why not, or both", s.ID)
		}
	}
	verdicts := map[string]map[string]contract.Outcome{}
	for _, mutation := range all {
		l := building(t)
		l.Alter = mutate(mutation)
		verdicts[mutation] = judgeStatements(t, l, affectedBy(mutation))
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-10s%-14s%-14s%-16s%s\n", "", "unchanged", noLock, halfLocks, otherWait)
	for _, s := range contract.Statements() {
		e, effect := lockEffects[s.ID]
		if !effect {
			fmt.Fprintf(&table, "%-10s%s\n", s.ID, withoutLock[s.ID])
			continue
		}
		row := map[string]string{noLock: "–", halfLocks: "–", otherWait: "–"}
		for _, mutation := range e.mutations {
			o := verdicts[mutation][s.ID]
			row[mutation] = o.Verdict
			if o.Verdict == e.verdict {
				t.Errorf("%s with %s is still %s: got %s, why %s", s.ID, mutation, o.Verdict, o.Got, o.Why)
			}
		}
		fmt.Fprintf(&table, "%-10s%-14s%-14s%-16s%s\n", s.ID, e.verdict, row[noLock], row[halfLocks], row[otherWait])
	}
	t.Logf("verdicts by mutation\n%s", &table)
}

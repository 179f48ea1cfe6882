package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// Allowed are differences from a baseline that do not make a run fail.
type Allowed struct {
	Inconclusive int  // statements that had another verdict in the baseline
	Host         bool // another class of machine
	Release      bool // another release of Go
}

// Difference is a row that is not as in the baseline.
type Difference struct {
	GoVersion string
	Row       *StatementVerdict
	Was       string // the baseline's verdict; "" = it has none
}

// Comparison is what a run has in common with a baseline, and what not.
type Comparison struct {
	Same    int
	Changed []Difference
	// Lost are inconclusive now and were not in the baseline. Open are all others where one of the two
	// verdicts contradicts nothing.
	Lost, Open []Difference
	New        []Difference // that the baseline does not have
	NotRun     int
	// Interrupted is true when a run was, or none was done.
	Interrupted bool
	// Problems are why the comparison as a whole fails, besides the changed verdicts.
	Problems []string
}

// Failed is true when the run is not as the baseline has it.
func (c *Comparison) Failed() bool { return len(c.Changed) > 0 || len(c.Problems) > 0 }

// Compare compares the runs with the baseline.
func (b *Baseline) Compare(vs []*Verdicts, allowed Allowed) *Comparison {
	c := &Comparison{Interrupted: len(vs) == 0}
	for _, v := range vs {
		c.Interrupted = c.Interrupted || v.Interrupted
		c.place(b, v, allowed)
		for i := range v.Verdicts {
			c.row(b, v, &v.Verdicts[i])
		}
	}
	if n := len(c.Lost); n > allowed.Inconclusive {
		c.problem("%d became inconclusive, and --allow-inconclusive is %d: %s", n, allowed.Inconclusive, ids(c.Lost))
	}
	if c.New != nil {
		c.problem("the baseline does not know %s: make a new one", ids(c.New))
	}
	for _, id := range slices.Sorted(maps.Keys(b.Verdicts)) {
		if _, known := contract.Find(id); !known {
			c.problem("this pinwatch does not know %s of the baseline: make a new one", id)
		}
	}
	return c
}

func (c *Comparison) problem(format string, args ...any) {
	if p := fmt.Sprintf(format, args...); !slices.Contains(c.Problems, p) {
		c.Problems = append(c.Problems, p)
	}
}

// place compares where and by what the verdicts were reached.
func (c *Comparison) place(b *Baseline, v *Verdicts, allowed Allowed) {
	if class := v.Host.Class(); class != b.HostClass && !allowed.Host {
		was := b.HostClass
		if was == "" {
			was = "one that it does not name"
		}
		c.problem("the baseline is of another host class, %s; this is %s (--allow-other-host)", was, class)
	}
	if !sameRelease(b.GoVersion, v.GoVersion) && !allowed.Release {
		c.problem("the baseline is of another release, %s; this is %s (--allow-other-release)", b.GoVersion, v.GoVersion)
	}
	if !maps.Equal(b.Settings, v.Environment.Settings) {
		c.problem("the baseline is of other settings, %s; these are %s", settingsWords(b.Settings),
			settingsWords(v.Environment.Settings))
	}
}

// sameRelease is true for patches of one release, go1.26.8 and go1.26.11, for its candidates, and for
// commits on the way to it.
func sameRelease(a, b string) bool {
	m, okM := contract.Minor(a)
	n, okN := contract.Minor(b)
	return a == b || okM && okN && m == n && stage(a) == stage(b)
}

// stage is what a version of Go has instead of a release; "" = it is one.
func stage(version string) string {
	for _, s := range []string{"devel", "beta", "rc"} { // devel go1.25-1a2b3c4, go1.28-devel_1a2b3c4, go1.28rc1
		if strings.Contains(version, s) {
			return s
		}
	}
	return ""
}

func (c *Comparison) row(b *Baseline, v *Verdicts, row *StatementVerdict) {
	was, changed := b.Change(row)
	d := Difference{v.GoVersion, row, was}
	switch {
	case v.NotDone(row):
		c.NotRun++
	case was == "":
		c.New = append(c.New, d)
	case changed:
		c.Changed = append(c.Changed, d)
	case was == row.Verdict:
		c.Same++
	case row.Verdict == contract.Inconclusive:
		c.Lost = append(c.Lost, d)
	default:
		c.Open = append(c.Open, d)
	}
}

func ids(ds []Difference) string {
	var list []string
	for _, d := range ds {
		if !slices.Contains(list, d.Row.ID) {
			list = append(list, d.Row.ID)
		}
	}
	return strings.Join(list, ", ")
}

// settingsWords are the settings as they are typed before a command; "none" without any.
func settingsWords(settings map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		parts = append(parts, name+"="+settings[name])
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, " ")
}

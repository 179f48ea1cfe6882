package compare_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/perf/benchfmt"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/compare"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// made makes the report of one run, number i of its side. wait is what is added to the wait for a CPU, in
// ns; jitter is how much runs differ.
func made(i int, wait, jitter float64, edit func(*report.Report)) *report.Report {
	rng := rand.New(rand.NewPCG(uint64(i), math.Float64bits(wait)))
	of := func(ns float64) float64 { return ns * math.Exp(jitter*rng.NormFloat64()) }
	clone, queue, start := of(25_000), of(15_000+wait), of(10_000)
	result := &correlate.Result{}
	for _, c := range []struct {
		id, phase string
		n         int
		ns        float64
	}{
		{"P-8", "clone_syscall", 300, clone}, {"P-8", "runq_wait", 300, queue}, {"P-8", "start", 300, start},
		{"P-8", "total", 300, clone + queue + start}, {"P-9", "exit", 50, of(21_000)}, {"X-handoff", "wake", 5, of(4_000)},
	} {
		result.Costs = append(result.Costs, reporttest.Around(correlate.Cost{ID: c.id, Phase: c.phase}, c.n, c.ns, 0.2))
		if c.id == "P-8" { // the only population, and one that is a part
			locked := correlate.Population{Locked: "false"}
			result.Costs = append(result.Costs,
				reporttest.Around(correlate.Cost{ID: c.id, Phase: c.phase, Population: locked}, c.n, c.ns, 0.2),
				reporttest.Around(correlate.Cost{ID: c.id, Phase: c.phase,
					Population: correlate.Population{Cause: "locked_park"}}, c.n/2, 1.01*c.ns, 0.2))
		}
	}
	r := report.New(report.Meta{Version: "v1.2.3"}, result)
	r.Host = report.Host{Kernel: reporttest.Ptr("6.18.44"), Arch: "amd64", CPUs: reporttest.Ptr(2),
		CPUModel: reporttest.Ptr("AMD EPYC"), Clocksource: reporttest.Ptr("tsc"), Virtualization: "kvm"}
	r.Target = report.Target{PID: 100 + i, GoVersion: reporttest.Ptr("go1.26.8"), GOMAXPROCS: reporttest.Ptr(2)}
	end := time.Date(2026, 1, 1, 0, i, int(wait)%60, 0, time.UTC).Format(time.RFC3339Nano)
	r.Window = report.Window{StartNS: int64(1e9 * (i + 1)), EndNS: int64(1e9*(i+1)) + 5e8, WallEnd: &end}
	if edit != nil {
		edit(r)
	}
	return r
}

// directory writes so many runs.
func directory(t testing.TB, name string, runs int, wait, jitter float64, edit func(*report.Report)) string {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range runs {
		var b bytes.Buffer
		if err := report.WriteJSON(&b, made(i, wait, jitter, edit)); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(name, fmt.Sprintf("%03d.json", i)), b.String())
	}
	return name
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func compared(t testing.TB, paths ...string) *report.Compared {
	t.Helper()
	var sides []*compare.Side
	for _, path := range paths {
		s, err := compare.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		sides = append(sides, s)
	}
	return compare.Compare("v1.2.3", sides[0], sides[1:])
}

// cases are comparisons by name, in the working directory.
func cases(t testing.TB) map[string]*report.Compared {
	t.Helper()
	t.Chdir(t.TempDir())
	old := directory(t, "old", 12, 0, 0.01, nil)
	kernel := func(r *report.Report) {
		r.Host.Kernel, r.Target.GoVersion = reporttest.Ptr("7.1.0"), reporttest.Ptr("go1.27.0")
	}
	go126 := "cpu: AMD EPYC\nBenchmarkA-2 100 %d ns/op 0 B/op\nBenchmarkB-2 100 %d ns/op 48 B/op\n"
	var before, after strings.Builder
	for i := range 10 {
		fmt.Fprintf(&before, go126, 1000+i, 500+7*i%10)
		fmt.Fprintf(&after, go126, 900+i, 500+3*i%10)
	}
	return map[string]*report.Compared{
		"dearer":  compared(t, old, directory(t, "new", 12, 6000, 0.01, nil)),
		"nothing": compared(t, old, directory(t, "again", 12, 1, 0.01, nil)),
		"moved":   compared(t, old, directory(t, "moved", 12, 2, 0.01, kernel)),
		"few":     compared(t, directory(t, "few", 3, 0, 0.01, nil), directory(t, "one", 1, 3, 0.01, nil)),
		"self":    compared(t, old, old),
		"two":     compared(t, old, "new", "again"),
		"go":      compared(t, write(t, "old.txt", before.String()), write(t, "new.txt", after.String())),
		"mixed":   compared(t, old, "new.txt"),
	}
}

// Every comparison follows the schema, fits its page, and is read again by benchstat's parser.
func TestFormats(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range cases(t) {
		var doc, page, md bytes.Buffer
		if err := report.WriteComparedJSON(&doc, c); err != nil {
			t.Fatal(err)
		}
		if err := schematest.CheckCompared(doc.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, width := range []int{60, 80, 100, 120, 200} {
			for _, verbose := range []bool{false, true} {
				page.Reset()
				if err := text.WriteCompared(&page, c, text.Options{Width: width, Verbose: verbose}); err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(page.String()) {
					if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
						t.Errorf("%s: %d columns in a page of %d: %s", name, n, width, line)
					}
				}
				if (width == 80 || width == 120) && !verbose {
					testenv.Golden(t, fmt.Sprintf("%s/testdata/%s.%d.golden", wd, name, width), page.Bytes())
				}
			}
		}
		if err := report.WriteComparedMarkdown(&md, c, false); err != nil {
			t.Fatal(err)
		}
		testenv.Golden(t, fmt.Sprintf("%s/testdata/%s.md", wd, name), md.Bytes())
		benchmarks(t, name, c)
	}
}

// benchmarks: each value of each run is a line, and no two costs have one name.
func benchmarks(t *testing.T, name string, c *report.Compared) {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteComparedBenchmarks(&b, c); err != nil {
		t.Fatal(err)
	}
	got, want := map[string]int{}, 0
	r := benchfmt.NewReader(&b, name)
	for r.Scan() {
		res, ok := r.Result().(*benchfmt.Result)
		if !ok {
			t.Fatalf("%s: %v", name, r.Result())
		}
		got[fmt.Sprint(res.GetConfig("side"), " ", res.Name, " ", res.Values[0].Unit)]++
	}
	for i := range c.New {
		for _, cost := range c.New[i].Costs {
			if want += cost.New.Runs; i == 0 {
				want += cost.Old.Runs
			}
		}
	}
	for line, n := range got {
		if want -= n; n > 12 {
			t.Errorf("%s: %d lines of %q", name, n, line)
		}
	}
	if want != 0 {
		t.Errorf("%s: %d lines too few in %v", name, want, got)
	}
}

// A heading tells only what is shown, and of which cost.
func TestHeading(t *testing.T) {
	all := cases(t)
	for name, words := range map[string]string{
		"dearer":  "creating a thread got 12 % dearer (|), all of it in runq_wait",
		"nothing": "nothing changed that 12 runs can show; the smallest effect they can show is |",
		"self":    "nothing changed",
		"few":     "nothing can be concluded from 3 and 1 runs: | runs of each side are needed",
		"go":      "A-2 got 10 % faster (",
		"mixed":   "nothing can be compared",
	} {
		heading := strings.Join(all[name].New[0].Heading, "; ")
		for _, part := range strings.Split(words, "|") {
			if !strings.Contains(heading, part) {
				t.Errorf("%s: %q lacks %q", name, heading, part)
			}
		}
	}
	if all["few"].Conclusive || all["mixed"].Conclusive || !all["nothing"].Conclusive {
		t.Error("too few runs conclude, or enough do not")
	}
	if n := all["two"].New; n[0].Shown() == 0 || n[1].Shown() != 0 || all["two"].Compared != 2*all["dearer"].Compared {
		t.Errorf("of two new sides %d and %d are shown", n[0].Shown(), n[1].Shown())
	}
	for _, c := range all["dearer"].New[0].Costs {
		if c.Locked != "" {
			t.Errorf("%s is compared twice: it has the values of the whole", c.Name())
		}
	}
}

// What differs besides what is studied is named, and so is a side that is the other.
func TestEnvironments(t *testing.T) {
	all := cases(t)
	one := directory(t, "kernel", 9, 0, 0.01, func(r *report.Report) { r.Host.Kernel = reporttest.Ptr("7.1.0") })
	unknown := directory(t, "unknown", 9, 5, 0.01, func(r *report.Report) { r.Host.Kernel = nil })
	for name, c := range map[string]struct {
		c     *report.Compared
		words string // "" = no warning
	}{
		"two things":  {all["moved"], "in more than one thing,|kernel (6.18.44 → 7.1.0); Go release (go1.26.8 → go1.27.0)"},
		"one thing":   {compared(t, "old", one), ""},
		"not known":   {compared(t, "old", unknown), ""},
		"itself":      {all["self"], "old is OLD itself"},
		"one by one":  {compared(t, "old", directory(t, "late", 9, 0, 0.01, later)), "take turns"},
		"of one kind": {compared(t, mixed(t), "again"), "its runs differ in kernel: 6.18.44, 7.1.0"},
	} {
		warnings := strings.Join(append(c.c.Warnings, c.c.New[0].Warnings...), "\n")
		for _, part := range strings.Split(c.words, "|") {
			if !strings.Contains(warnings, part) || c.words == "" && warnings != "" {
				t.Errorf("%s: %q, want %q", name, warnings, part)
			}
		}
	}
}

func later(r *report.Report) { r.Window.WallEnd = reporttest.Ptr("2027" + (*r.Window.WallEnd)[4:]) }

// mixed is a directory with runs of two kernels.
func mixed(t *testing.T) string {
	return directory(t, "mixed", 9, 0, 0.01, func(r *report.Report) {
		if r.Target.PID%2 == 0 {
			r.Host.Kernel = reporttest.Ptr("7.1.0")
		}
	})
}

// The same runs give the same numbers.
func TestReproducible(t *testing.T) {
	var texts [2]bytes.Buffer
	for i := range texts {
		if err := report.WriteComparedJSON(&texts[i], cases(t)["dearer"]); err != nil {
			t.Fatal(err)
		}
	}
	if texts[0].String() != texts[1].String() {
		t.Error("two comparisons of the same runs differ")
	}
}

// BenchmarkDirectories compares two directories of 100 reports.
func BenchmarkDirectories(b *testing.B) {
	b.Chdir(b.TempDir())
	old, changed := directory(b, "old", 100, 0, 0.05, nil), directory(b, "new", 100, 6000, 0.05, nil)
	for b.Loop() {
		if err := text.WriteCompared(io.Discard, compared(b, old, changed), text.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

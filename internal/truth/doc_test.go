package truth

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// document is the text of the long form of TestTruth: one section a workload.
type document struct{ text strings.Builder }

// Markers of the part of a document that is generated.
const (
	docBegin = "<!-- truth:begin -->\n"
	docEnd   = "<!-- truth:end -->\n"
)

func (d *document) printf(format string, args ...any) { fmt.Fprintf(&d.text, format, args...) }

// add writes the section of one workload.
func (d *document) add(c truthCase, w *witnessed, counts []counted, times []timing) {
	d.printf("\n### %s\n\n`%s`, %.1f s, %d threads created, %d switches", capital(c.about), c.activity,
		w.report.Window.DurationS, w.report.Counts.ThreadsCreated, w.report.Counts.Switches)
	if !w.ordered {
		d.printf("; another tracer was on the hooks, or pinwatch on functions, so the order of stamps was not judged")
	}
	d.printf("\n\n")
	var names []string
	for _, v := range w.views {
		if !v.derived {
			names = append(names, v.name)
		}
	}
	d.printf("| event | pinwatch | %s | stamps out of order |\n|---|--:|%s--:|\n", strings.Join(names, " | "),
		strings.Repeat("--:|", len(names)))
	for _, row := range counts {
		d.printf("| %s | %d |", row.what, row.seen)
		outOf := 0
		for i, n := range row.others {
			switch {
			case w.views[i].derived:
			case n < 0:
				d.printf(" – |")
			default:
				d.printf(" %d |", n)
			}
			outOf += row.outOf[i]
		}
		d.printf(" %d |\n", outOf)
	}
	d.printf("\n| sample | median | compared with | its samples | compared |" +
		" p1 | p50 | p99 | largest | p1 | p50 | p99 |\n")
	d.printf("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	last := ""
	for _, r := range times {
		name, median := r.name, fmt.Sprintf("%s of %d", duration(r.median), r.samples)
		if name == last {
			name, median = "", ""
		}
		last = r.name
		largest := quantile(r.diffs, 1)
		if least := quantile(r.diffs, 0); -least > largest {
			largest = least
		}
		d.printf("| %s | %s | %s | %d | %d |", name, median, r.by, r.its, len(r.diffs))
		d.printf(" %s | %s | %s | %s |", signed(quantile(r.diffs, 0.01)), signed(quantile(r.diffs, 0.5)),
			signed(quantile(r.diffs, 0.99)), signed(largest))
		d.printf(" %s | %s | %s |\n", percent(quantile(r.relative, 0.01)), percent(quantile(r.relative, 0.5)),
			percent(quantile(r.relative, 0.99)))
	}
}

// String is the command of the workload.
func (a activity) String() string {
	program := "workload "
	if a.cgo {
		program = "cgoworkload "
	}
	return program + strings.Join(a.args, " ")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// duration is a number of ns with three digits and its unit.
func duration(ns int64) string {
	switch v := float64(ns); {
	case abs(ns) < 1000:
		return fmt.Sprintf("%d ns", ns)
	case abs(ns) < 1e6:
		return fmt.Sprintf("%.3g µs", v/1e3)
	case abs(ns) < 1e9:
		return fmt.Sprintf("%.3g ms", v/1e6)
	default:
		return fmt.Sprintf("%.3g s", v/1e9)
	}
}

func signed(ns int64) string {
	if ns > 0 {
		return "+" + duration(ns)
	}
	return strings.Replace(duration(ns), "-", "−", 1)
}

func percent(v float64) string { return strings.Replace(fmt.Sprintf("%+.1f %%", 100*v), "-", "−", 1) }

// write puts the sections between the markers of a file.
func (d *document) write(t *testing.T, file string, target *witnessed) {
	t.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(old), docBegin)
	_, after, ok2 := strings.Cut(rest, docEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no %s … %s", file, strings.TrimSpace(docBegin), strings.TrimSpace(docEnd))
	}
	var head document
	host := target.report.Host
	head.printf("\nAll figures by `make truth`: Linux %s %s, %d CPUs, virtualization: %s, workloads built by %s.\n\n"+
		"| instrument | |\n|---|---|\n",
		*host.Kernel, runtime.GOARCH, runtime.NumCPU(), host.Virtualization, runtime.Version())
	head.printf("| tracefs | a trace instance, clock mono; its text is rounded to 1 µs |\n")
	for _, peer := range []struct {
		need    *testenv.Need
		command []string
		names   string
		what    string
	}{
		{testenv.Bpftrace, []string{"bpftrace", "--version"}, "bpftrace", "`nsecs` in programs on tracepoints"},
		{testenv.PerfRecord, []string{"perf", "--version"}, "perf, perf trace, perf sched",
			"one `perf record -a -k CLOCK_MONOTONIC`, read by `perf script --ns`, `perf trace -i` and `perf sched timehist`; " +
				"the latter two print to 1 µs"},
	} {
		if err := peer.need.Missing(); err != nil {
			head.printf("| %s | not compared with: %s |\n", peer.names, strings.Join(strings.Fields(err.Error()), " "))
			continue
		}
		version, err := exec.Command(peer.command[0], peer.command[1:]...).Output()
		if err != nil {
			t.Fatal(err)
		}
		head.printf("| %s | %s; %s |\n", peer.names, strings.TrimSpace(string(version)), peer.what)
	}
	if err := os.WriteFile(file, []byte(before+docBegin+head.text.String()+d.text.String()+"\n"+docEnd+after),
		0o644); err != nil {
		t.Fatal(err)
	}
}

package summary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
)

// made is a process with random numbers, and samples that it gives to whole as well.
func made(rng *rand.Rand, i int, whole map[string]*correlate.Cost) Process {
	start := events.Time(rng.Int64N(1e12) + 1)
	res := &correlate.Result{Start: start, End: start + 1e9 + events.Time(rng.Int64N(1e9)),
		Counts: correlate.Counts{Threads: uint64(rng.IntN(9)), ThreadsCreated: uint64(rng.IntN(9)),
			Switches: rng.Uint64N(999), Run: rng.Int64N(1e9)}}
	if rng.IntN(3) > 0 {
		res.Counts.SigurgSent, res.Counts.LockedThreads = new(rng.Uint64N(99)), new(rng.Uint64N(9))
		res.Counts.LockedThreadsMax = new(rng.Uint64N(9))
		res.Handoffs = []correlate.EntryHandoff{{Handoff: correlate.Handoff{N: rng.Uint64N(99)}}}
	}
	if rng.IntN(5) == 0 {
		res.Loss.ByKind = map[string]uint64{"switch": rng.Uint64N(9) + 1}
	}
	for _, row := range []correlate.Cost{{ID: "P-8", Phase: "clone_syscall"}, {ID: "P-8", Phase: "start"},
		{ID: "P-5", Phase: "kernel", Bound: "upper"}, {ID: "P-5", Phase: "kernel", Bound: "lower"},
		{ID: "P-9", Phase: "exit"}, {ID: "P-9", Phase: "exit", Population: correlate.Population{Cause: "locked"}}} {
		key := row.ID + row.Phase + row.Bound + row.Cause
		if whole[key] == nil {
			sum := row
			whole[key] = &sum
		}
		for range rng.IntN(40) {
			v := rng.Int64N(1 << rng.IntN(34))
			row.Hist.Add(v)
			whole[key].Hist.Add(v)
		}
		row.Unfinished = rng.Uint64N(2)
		whole[key].Unfinished += row.Unfinished
		res.Costs = append(res.Costs, row)
	}
	meta := report.Meta{Target: report.Target{PID: i, Exe: new(fmt.Sprintf("exe%d", rng.IntN(7))), Offsets: new("table")}}
	if rng.IntN(2) == 0 {
		meta.Target.StartedNS, meta.Target.Ended = new(int64(start)), new("ended")
	}
	for range rng.IntN(3) {
		f := findings.Finding{ID: fmt.Sprintf("kind%d", rng.IntN(3)), Severity: severities[rng.IntN(3)],
			Message: fmt.Sprint(rng.Int())}
		if rng.IntN(2) == 0 {
			f.Cost = &findings.Cost{CPU: rng.Float64()}
		}
		meta.Findings = append(meta.Findings, f)
	}
	meta.Judged = []findings.Judged{{ID: "kind9", Why: fmt.Sprint("reason ", rng.IntN(3))}, {ID: "kind8"}}
	return Process{Result: res, Report: report.New(meta, res)}
}

func asJSON(t *testing.T, s *report.Summary) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteSummaryJSON(&b, s); err != nil {
		t.Fatal(err)
	}
	if err := schematest.CheckSummary(b.Bytes()); err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	return b.String()
}

// TestOrderDoesNotMatter: the same processes in any order have the same summary.
func TestOrderDoesNotMatter(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		whole := map[string]*correlate.Cost{}
		var all []Process
		for i := range 150 { // more than are listed
			all = append(all, made(rng, i+1, whole))
		}
		want := ""
		for range 3 {
			s := New()
			for _, i := range rng.Perm(len(all)) {
				s.Add(all[i])
			}
			got := asJSON(t, s.Report(Meta{}))
			if want == "" {
				want = got
			}
			if got != want {
				t.Fatalf("seed %d: another order gives\n%s\nwant\n%s", seed, got, want)
			}
		}
	}
}

// TestPartsEqualTheWhole: the costs are those of one window that has all samples, counts are sums, and
// the executables add up to all.
func TestPartsEqualTheWhole(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 2))
		whole := map[string]*correlate.Cost{}
		s := New()
		var created, run, sent, unsent, lossy uint64
		for i := range 60 {
			p := made(rng, i+1, whole)
			created += p.Result.Counts.ThreadsCreated
			run += uint64(p.Result.Counts.Run)
			if v := p.Result.Counts.SigurgSent; v != nil {
				sent += *v
			} else {
				unsent++
			}
			if p.Report.Lossy() {
				lossy++
			}
			s.Add(p)
		}
		got := s.Report(Meta{})
		asJSON(t, got)
		if got.Sums.ThreadsCreated != created || got.Sums.RunNS != run || *got.Sums.SigurgSent != sent ||
			got.Sums.Unknown["sigurg_sent"] != unsent || got.Incomplete.Lossy != lossy || got.Processes.Observed != 60 {
			t.Fatalf("seed %d: %+v, %+v, %+v", seed, got.Sums, got.Incomplete, got.Processes)
		}
		if len(got.Costs) != len(whole) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(got.Costs), len(whole))
		}
		for i := range got.Costs {
			c := &got.Costs[i]
			bound, cause := "", ""
			if c.Bound != nil {
				bound = *c.Bound
			}
			if c.Cause != nil {
				cause = *c.Cause
			}
			want := report.New(report.Meta{}, &correlate.Result{Costs: []correlate.Cost{
				*whole[c.ID+c.Phase+bound+cause]}, Loss: s.lost()}).Costs[0]
			if !reflect.DeepEqual(*c, want) {
				t.Fatalf("seed %d: %s %s is %+v, want %+v", seed, c.ID, c.Phase, *c, want)
			}
		}
		var n, ofExecutables uint64
		for _, e := range got.Executables {
			n += e.Processes
			ofExecutables += e.Sums.ThreadsCreated
		}
		if n != 60 || ofExecutables != created {
			t.Fatalf("seed %d: executables have %d processes with %d threads, want 60 with %d", seed, n, ofExecutables, created)
		}
	}
}

// TestBounds: a row that is a lower bound in one process is one in all.
func TestBounds(t *testing.T) {
	s := New()
	for i, bound := range []string{"", "lower", ""} {
		c := reporttest.Around(correlate.Cost{ID: "P-8", Phase: "spawn", Bound: bound}, 10, 1000, 1)
		if bound != "" {
			c.Warnings = []string{"3 clone records lost: samples are missing, n is a lower bound"}
		}
		if i > 0 {
			c.Bias = new(10.0 * float64(i))
		}
		s.Add(process("a", &correlate.Result{Costs: []correlate.Cost{c}}, nil))
	}
	c := s.Report(Meta{}).Costs
	if len(c) != 1 || c[0].N != 30 || c[0].Bound == nil || *c[0].Bound != "lower" || len(c[0].Warnings) != 1 ||
		!strings.HasPrefix(c[0].Warnings[0], "of 1 processes") {
		t.Errorf("%+v", c)
	}
	if c[0].Bias != nil {
		t.Errorf("a bias of %g, though that of some samples is not known", *c[0].Bias)
	}
}

func process(exe string, res *correlate.Result, target *report.Target) Process {
	meta := report.Meta{Target: report.Target{PID: 7, Exe: &exe, Offsets: new("table")}}
	if target != nil {
		meta.Target = *target
	}
	return Process{Result: res, Report: report.New(meta, res)}
}

// TestMost: the most threads at one time, also between the begin and the end of the window.
func TestMost(t *testing.T) {
	thread := func(from, to events.Time) correlate.Thread { return correlate.Thread{StartedAt: from, ExitedAt: to} }
	threads := func(ts ...correlate.Thread) correlate.Result { return correlate.Result{Threads: ts} }
	counted, asleep, omitted := threads(thread(0, 0)), threads(thread(0, 0)), threads(thread(0, 0))
	counted.Counts.Threads, asleep.Sleepers.N, omitted.ThreadsOmitted = 3, 90, 4
	for name, c := range map[string]struct {
		res   correlate.Result
		want  uint64
		lower bool
	}{
		"nothing":       {correlate.Result{}, 0, false},
		"all the time":  {threads(thread(0, 0), thread(0, 0)), 2, false},
		"one by one":    {threads(thread(0, 0), thread(10, 20), thread(20, 30), thread(40, 50)), 2, false},
		"at the begin":  {threads(thread(0, 5), thread(0, 5), thread(10, 20)), 2, false},
		"together":      {threads(thread(0, 0), thread(10, 30), thread(20, 40)), 3, false},
		"not listed":    {omitted, 1, true},
		"they sleep":    {asleep, 91, false},
		"by the counts": {counted, 3, false},
	} {
		if n, lower := most(&c.res); n != c.want || lower != c.lower {
			t.Errorf("%s: %d, lower %t; want %d, %t", name, n, lower, c.want, c.lower)
		}
	}
}

func TestBuildTools(t *testing.T) {
	for _, c := range []struct {
		path, main string
		want       bool
	}{
		{"/usr/local/go/pkg/tool/linux_amd64/compile", "cmd/compile", true},
		{"/root/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.24.0.linux-amd64/pkg/tool/linux_amd64/vet", "", true},
		{"/usr/local/go/bin/go", "cmd/go", false},
		{"/home/me/.cache/go-build/3f/3f-d/covdata", "cmd/covdata", true},
		{"/home/me/.cache/go-build/3f/3f-d/link", "example.org/link", false}, // go run ./link
		{"/home/me/.cache/go-build/3f/3f-d/link", "", false},
		{"/srv/link", "example.org/cmd/link", false},
		{"/srv/link", "link", false},
		{"", "cmd/link", true},
		{"", "", false},
		{"/pkg/tool/compile", "", false},
		{"/x/tool/linux_amd64/compile", "", false},
	} {
		if got := BuildTool(c.path, c.main); got != c.want {
			t.Errorf("%q, main package %q: %t", c.path, c.main, got)
		}
	}
	s := New()
	for _, name := range []string{"compile", "compile", "link"} {
		p := process(name, &correlate.Result{Counts: correlate.Counts{ThreadsCreated: 5}}, nil)
		p.Path = "/usr/local/go/pkg/tool/linux_amd64/" + name
		s.Add(p)
	}
	s.Add(process("go", &correlate.Result{}, nil))
	r := s.Report(Meta{})
	p := r.Processes
	if len(r.Executables) != 2 || p.BuildTools != 3 || p.Executables != 1 || p.Observed != 4 || r.Omitted != 0 {
		t.Fatalf("%+v, %+v", r.Executables, r.Processes)
	}
	tools := r.Executables[0] // the go command has no threads here
	if tools.Kind != "go_build_tools" || tools.Processes != 3 || tools.Sums.ThreadsCreated != 15 ||
		!reflect.DeepEqual(tools.Tools, map[string]uint64{"compile": 2, "link": 1}) || len(r.Largest) != 1 {
		t.Errorf("%+v", tools)
	}
}

// TestFindings: the worst is the most severe one, then the dearest, and no process counts twice.
func TestFindings(t *testing.T) {
	s := New()
	add := func(pid int, exe string, fs ...findings.Finding) {
		res := &correlate.Result{Start: 1e9, End: 11e9, Paused: 5e9}
		s.Add(Process{Result: res, Report: report.New(report.Meta{Target: report.Target{PID: pid, Exe: &exe},
			Findings: fs}, res)})
	}
	cheap, dear := &findings.Cost{CPU: 0.01}, &findings.Cost{CPU: 0.5}
	add(1, "a", findings.Finding{ID: "x", Severity: "info", Message: "dear", Cost: dear},
		findings.Finding{ID: "x", Severity: "info", Message: "cheap", Cost: cheap})
	add(2, "b", findings.Finding{ID: "x", Severity: "warn", Message: "severe", Cost: cheap})
	add(3, "b", findings.Finding{ID: "x", Severity: "warn", Message: "severe and dear", Advice: "do it", Cost: dear},
		findings.Finding{ID: "y", Severity: "error", Message: "no cost"})
	add(4, "c")
	r := s.Report(Meta{})
	if len(r.Findings) != 2 || r.Findings[0].ID != "y" || r.Findings[0].Cost != nil || r.Findings[0].Worst.PID != 3 {
		t.Fatalf("%+v", r.Findings)
	}
	x := r.Findings[1]
	if x.Severity != "warn" || x.Findings != 4 || x.Processes != 3 || x.Worst.PID != 3 ||
		x.Worst.Message != "severe and dear" || x.Worst.Advice != "do it" || x.Worst.StartNS != 1e9 ||
		!reflect.DeepEqual(x.Executables, []report.Named{{Name: "b", Processes: 2}, {Name: "a", Processes: 1}}) {
		t.Errorf("%+v", x)
	}
	// 5 s of each window count: the other 5 s the process was stopped.
	if want := 5 * (0.5 + 0.01 + 0.01 + 0.5); x.Cost == nil || x.Cost.CPUSeconds != want || x.Cost.Findings != 4 {
		t.Errorf("cost %+v, want %g s", x.Cost, want)
	}
	if p := r.Processes; p.WithError != 1 || p.WithWarn != 1 || p.WithInfo != 1 {
		t.Errorf("%+v", p)
	}
}

// TestThreadCost: the phases that are a thread's own time, less its time off the CPU; not known where they
// were not watched.
func TestThreadCost(t *testing.T) {
	c := func(id, phase string, n int, each int64, off *float64, p correlate.Population) correlate.Cost {
		row := correlate.Cost{ID: id, Phase: phase, OffCPU: off, Population: p}
		for range n {
			row.Hist.Add(each)
		}
		return row
	}
	all, locked := correlate.Population{}, correlate.Population{Locked: "true"}
	res := &correlate.Result{Costs: []correlate.Cost{
		c("P-8", "clone_syscall", 10, 100, new(20.0), all), c("P-8", "clone_syscall", 10, 100, nil, locked),
		c("P-8", "start", 10, 50, nil, all), c("P-8", "spawn", 10, 1000, nil, all), c("P-8", "total", 10, 2000, nil, all),
		c("P-9", "runtime", 4, 30, nil, all), c("P-9", "exit", 4, 10, new(50.0), all), c("P-9", "free", 4, 1e6, nil, all)}}
	if got := threadCost(res); got == nil || *got != 10*80+10*50+4*30+0 {
		t.Errorf("%v", got)
	}
	if got := threadCost(reporttest.Light()); got != nil {
		t.Errorf("with nothing watched: %d", *got)
	}
}

// TestMissing: nothing that is missing is dropped.
func TestMissing(t *testing.T) {
	s := New()
	locked := correlate.Counts{LockedThreads: new(uint64(0))}
	whole := report.Target{PID: 1, Offsets: new("table"), StartedNS: new(int64(5)), Ended: new("ended")}
	lossy := correlate.Loss{ByKind: map[string]uint64{"switch": 3}, Late: 1, Untracked: 2,
		UntrackedTurns: 7, BrokenLinks: 1}
	s.Add(process("a", &correlate.Result{Start: 5, End: 10, Counts: locked}, &whole))
	s.Add(process("a", &correlate.Result{Start: 6, End: 10, Counts: locked}, &whole)) // began before
	s.Add(process("a", &correlate.Result{Start: 5, End: 10, Counts: locked, Loss: lossy}, &whole))
	s.Add(process("a", &correlate.Result{Start: 5, End: 10, Counts: locked,
		Loss: correlate.Loss{Skipped: map[string]uint64{"sys_enter_exit": 90}}},
		&report.Target{PID: 2, Offsets: new("none")}))
	s.Add(process("a", &correlate.Result{Start: 5, End: 10}, &report.Target{PID: 3, Offsets: new("none")}))
	s.Add(process("a", &correlate.Result{Start: 5, End: 10}, &report.Target{PID: 3}))
	s.NoRoom(12)
	s.Failed("gone", "it is gone")
	s.Failed("gone", "it is gone")
	s.Failed(report.LostExec, "a record was lost")
	s.InPart("not_go", "not a Go program")
	s.Passed("/bin/sh")
	s.Passed("sh")
	r := s.Report(Meta{Warnings: []string{"w"}})
	want := report.Incomplete{Began: 4, Living: 3, Lossy: 1, Skipped: 1, KernelSideOnly: 1, LocksUnknown: 1, NoRoom: 12,
		InPart: []report.Reason{{Kind: "not_go", Why: "not a Go program", Processes: 1}},
		Failed: []report.Reason{{Kind: "gone", Why: "it is gone", Processes: 2},
			{Kind: report.LostExec, Why: "a record was lost", Processes: 1}}}
	if !reflect.DeepEqual(r.Incomplete, want) {
		t.Errorf("%+v, want %+v", r.Incomplete, want)
	}
	if r.NothingLost() || r.LostExecs() != 1 {
		t.Errorf("%d lost records of execs", r.LostExecs())
	}
	if r.Processes.Complete != 1 || r.Processes.Observed != 6 || r.Window.StartNS != 5 || r.Window.EndNS != 10 {
		t.Errorf("%+v, %+v", r.Processes, r.Window)
	}
	if l := r.Loss; l.Total != 3 || l.ByKind["switch"] != 3 || l.Late != 1 || l.Untracked != 2 || l.UntrackedTurns != 7 ||
		l.BrokenLinks != 1 {
		t.Errorf("%+v", l)
	}
	if !reflect.DeepEqual(r.Passed, []report.Named{{Name: "sh", Processes: 2}}) {
		t.Errorf("%+v", r.Passed)
	}
	asJSON(t, r)
}

// TestMemory: what is kept does not grow with the processes, and no Result is kept.
func TestMemory(t *testing.T) {
	p := made(rand.New(rand.NewPCG(5, 5)), 1, map[string]*correlate.Cost{})
	p.Result.Threads = make([]correlate.Thread, 1000)
	s := New()
	add := func(n int) {
		for i := range n {
			exe, r := fmt.Sprintf("exe%d", i%20), *p.Report
			r.Target.Exe, r.Target.PID = &exe, i+1
			s.Add(Process{Result: p.Result, Report: &r})
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	add(200)
	few := heap()
	add(10_000)
	many := heap()
	if grown := int64(many) - int64(few); grown > 256<<10 {
		t.Errorf("10,000 further processes take %d KiB", grown>>10)
	}
	if all := int64(few) - int64(before); all > 4<<20 {
		t.Errorf("20 executables take %d KiB", all>>10)
	}
	r := s.Report(Meta{})
	if r.Processes.Observed != 10_200 || len(r.Largest) != mostRows || r.Omitted != 10_200-mostRows ||
		r.Sums.ThreadsCreated != 10_200*p.Result.Counts.ThreadsCreated {
		t.Errorf("%+v, %d rows, %d left out", r.Processes, len(r.Largest), r.Omitted)
	}
	runtime.KeepAlive(s)
}

// TestHostileNames: neither the length nor the number of names decides how much is kept.
func TestHostileNames(t *testing.T) {
	s := New()
	for i := range 2000 {
		exe := fmt.Sprintf("/\x1b[2J\xff<b>%d", i) + strings.Repeat("x", 1<<10)
		s.Add(process(exe, &correlate.Result{Counts: correlate.Counts{ThreadsCreated: 1}}, nil))
		s.Passed(exe)
	}
	s.Add(Process{Result: &correlate.Result{}, Report: report.New(report.Meta{}, &correlate.Result{})})
	r := s.Report(Meta{})
	if len(r.Executables) > mostExecutables+1 || len(r.Passed) > mostExecutables+1 {
		t.Errorf("%d executables, %d programs", len(r.Executables), len(r.Passed))
	}
	var processes, threads uint64
	for _, e := range r.Executables {
		processes, threads = processes+e.Processes, threads+e.Sums.ThreadsCreated
		if len(e.Name) > mostName+8 {
			t.Errorf("a name of %d bytes", len(e.Name))
		}
	}
	if processes != 2001 || threads != 2000 {
		t.Errorf("%d processes, %d threads", processes, threads)
	}
	if text := asJSON(t, r); strings.Contains(text, "\x1b") || !json.Valid([]byte(text)) {
		t.Error("control characters in JSON")
	}
}

func BenchmarkAdd(b *testing.B) {
	rich := reporttest.Rich()
	r := report.New(reporttest.Meta(), rich)
	s := New()
	b.ReportAllocs()
	for b.Loop() {
		s.Add(Process{Result: rich, Report: r})
	}
}

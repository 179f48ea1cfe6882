// Package summarytest makes summaries for the tests of every format.
package summarytest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/summary"
)

// Process is a process of one executable that was observed from begin to end.
func Process(pid int, exe string, res *correlate.Result, fs ...findings.Finding) summary.Process {
	m := reporttest.Meta()
	m.Target.PID, m.Target.Exe, m.Findings = pid, &exe, fs
	m.Target.StartedNS, m.Target.Ended = reporttest.Ptr(int64(res.Start)), reporttest.Ptr("it exited")
	return summary.Process{Result: res, Report: report.New(m, res)}
}

// tool is Process for a tool of a Go build.
func tool(pid int, name string, res *correlate.Result) summary.Process {
	p := Process(pid, name, res)
	p.Path = "/usr/local/go/pkg/tool/linux_amd64/" + name
	return p
}

// short is a process that lives for 40 ms and makes some threads.
func short(i int) *correlate.Result {
	start := 1_000e9 + events.Time(i)*50e6
	r := &correlate.Result{Start: start, End: start + 40e6, Counts: correlate.Counts{ThreadsCreated: 6, ThreadsKilled: 7,
		SigurgSent: reporttest.Ptr(uint64(i % 3)), ThreadsExitedLocked: reporttest.Ptr(uint64(0)),
		LockedThreads: reporttest.Ptr(uint64(0)), LockedThreadsMax: reporttest.Ptr(uint64(1)), Switches: 90, Run: 31e6},
		Costs: []correlate.Cost{
			reporttest.Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall"}, 6, 30_000+float64(i), 0.3),
			reporttest.Around(correlate.Cost{ID: "P-8", Phase: "start"}, 6, 9_000, 0.3),
			{ID: "P-9", Phase: "runtime"}, {ID: "P-9", Phase: "exit"}, {ID: "P-6", Phase: "resume"},
			{ID: "X-handoff", Phase: "wake"}}}
	for t := range 7 {
		r.Threads = append(r.Threads, correlate.Thread{TID: int32(100*i + t), StartedAt: start + events.Time(t)*1e6,
			ExitedAt: r.End, Run: 4e6, Runq: 1e6})
	}
	r.Threads[0].StartedAt = 0
	return r
}

// meta is of an observation of 12.3 s.
func meta() summary.Meta {
	m := reporttest.Meta()
	return summary.Meta{Version: m.Version, Host: m.Host, Start: 1_000e9, End: 1_012.3e9, WallEnd: m.End,
		Observer: &report.GroupObserver{Hooks: m.Observer.Hooks, CPUSeconds: m.Observer.CPUSeconds,
			CPUFraction: m.Observer.CPUFraction, RSSAnonBytes: m.Observer.RSSAnonBytes}}
}

// build is what pinwatch sees of go test ./... with a program that pins.
func build() *summary.Summary {
	s := summary.New()
	found, rich := reporttest.Meta().Findings, reporttest.Rich()
	rich.Counts.Run, rich.Handoffs = 2.4e9, []correlate.EntryHandoff{{Handoff: correlate.Handoff{N: 40_112}}}
	s.Add(Process(4242, "/usr/local/bin/renderd", rich, found...))
	s.Add(Process(4250, "/usr/local/bin/renderd", rich, found[0]))
	s.Add(Process(4100, "/usr/local/go/bin/go", short(1)))
	for i := range 40 {
		s.Add(tool(5000+i, []string{"compile", "compile", "compile", "link", "vet"}[i%5], short(i)))
		s.Add(Process(6000+i, fmt.Sprintf("/tmp/go-build1/b%03d/pkg%d.test", i, i%12), short(i)))
		s.Passed([]string{"gcc", "as", "collect2", "ld", "sh"}[i%5])
	}
	return s
}

// Summaries are those that every format is tested on. Tests must not change them.
var Summaries = sync.OnceValue(func() map[string]*report.Summary {
	m := meta()
	all := map[string]*report.Summary{"empty": summary.New().Report(summary.Meta{Version: "devel"}),
		"build": build().Report(m)}

	calm := summary.New()
	for i := range 3 {
		calm.Add(Process(100+i, "sleeper", reporttest.Idle()))
	}
	all["calm"] = calm.Report(m)

	partly := build()
	for i, res := range []*correlate.Result{reporttest.Lossy(), reporttest.Skipped(), reporttest.Light()} {
		p := Process(7000+i, "api", res)
		p.Report.Target.StartedNS, p.Report.Target.Ended = nil, nil
		partly.Add(p)
	}
	c := Process(7100, "nginx", reporttest.Crowd())
	c.Report.Target = report.Target{PID: 7100, Exe: reporttest.Ptr("nginx")}
	c.Report.Judged = nil
	c.Report.Target.Container = &report.Container{ID: reporttest.Ptr("3f2a9c"), PodUID: reporttest.Ptr("8d0b")}
	partly.Add(c)
	partly.NoRoom(31)
	partly.SkippedExecs(reporttest.Ptr(uint64(3)))
	partly.Failed("ended", "ended before observation began")
	for range 12 {
		partly.Failed(report.LostExec, "executed a program, and the record of that was lost")
		partly.InPart("not_go", "not a Go program: the kernel side only")
	}
	partly.InPart("locks_unknown", "locks and roles are not known")
	m.Warnings = []string{"a warning about the whole observation", "and one more"}
	all["partly"] = partly.Report(m)

	hostile := summary.New()
	for i := range 60 {
		name := fmt.Sprintf("\x1b[31mwörker-%d\r\n処理データ<script>\u202e", i) + strings.Repeat("x", 1<<12)
		f := findings.Finding{ID: fmt.Sprintf("finding-%d", i%30), Severity: []string{"info", "warn", "error"}[i%3],
			Message: name[:200] + strings.Repeat(" a long sentence with many words about threads;", 9),
			Advice:  strings.Repeat("do this, that and more of the same kind, ", 9)}
		hostile.Add(Process(i+1, name, reporttest.Rich(), f))
		hostile.Passed(name)
		hostile.Failed(fmt.Sprint("kind_", i%20), fmt.Sprint("reason ", i%20))
	}
	all["hostile"] = hostile.Report(m)
	return all
})

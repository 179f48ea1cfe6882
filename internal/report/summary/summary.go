// Package summary puts the windows of many processes together.
//
// What can be added is: counts, times, samples. Quantiles come from the added distributions. What
// can't be added is not: of the number of living threads the most of any one process is kept.
//
// Memory is bounded by the kinds of executables, costs and findings, not by the processes: nothing that
// Add is given is kept.
package summary

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/report"
)

const (
	// mostExecutables are kept apart. The processes of all others are one row.
	mostExecutables = 500
	// mostReasons why a kind of finding was not looked for are kept apart: they can hold the text of an error.
	mostReasons = 50
	// mostRows are the processes that are listed.
	mostRows = 100
	// mostName is the longest name of an executable that is kept, in bytes: NAME_MAX of Linux.
	mostName = 255
)

// Words for names that are no executable's.
const (
	buildTools = "Go build tools"
	others     = "other programs"
	nameless   = "?"
)

// Process is one target's whole window.
type Process struct {
	Result *correlate.Result
	Report *report.Report // made of Result
	Path   string         // of the executable, as the process sees it; "" = not known
	Main   string         // path of its main package; "" = not known
}

// BuildTool reports whether it is a tool of a Go build: these are summed up, not listed.
func (p *Process) BuildTool() bool { return BuildTool(p.Path, p.Main) }

// Summary adds up processes. It is not safe for concurrent use.
type Summary struct {
	all         sums
	executables map[string]*executable
	findings    map[string]*finding
	notJudged   map[string]tally
	failed      reasons
	inPart      reasons
	passed      tally
	rows        []report.ProcessRow // the largest, by compareRows
	start, end  events.Time

	counts     report.ProcessCounts
	incomplete report.Incomplete
	loss       report.GroupLoss
	locked     *report.Peak // most locked threads
}

// New returns a summary of nothing.
func New() *Summary {
	return &Summary{all: sums{costs: costs{}}, executables: map[string]*executable{}, findings: map[string]*finding{},
		notJudged: map[string]tally{},
		failed:    reasons{}, inPart: reasons{}, passed: tally{},
		loss: report.GroupLoss{ByKind: map[string]uint64{}, Skipped: map[string]uint64{}}}
}

// executable is all processes of one name.
type executable struct {
	kind     string
	tools    tally // of Go's build tools
	n, lossy uint64
	sums     sums
	findings map[string]bool
}

// tally counts processes by a word.
type tally map[string]uint64

// add counts n under a word, or under other once there are too many words.
func (t tally) add(word, other string, n uint64, most int) {
	if _, known := t[word]; !known && len(t) >= most {
		word = other
	}
	t[word] += n
}

// named lists the words, the most frequent first.
func (t tally) named() []report.Named {
	list := make([]report.Named, 0, len(t))
	for name, n := range t {
		list = append(list, report.Named{Name: name, Processes: n})
	}
	slices.SortFunc(list, func(a, b report.Named) int {
		return cmp.Or(cmp.Compare(b.Processes, a.Processes), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// reasons count processes by the kind of what stood in the way.
type reasons map[string]*report.Reason

func (r reasons) add(kind, why string) {
	if r[kind] == nil {
		r[kind] = &report.Reason{Kind: kind, Why: why}
	}
	r[kind].Processes++
}

// list has the most frequent first.
func (r reasons) list() []report.Reason {
	list := make([]report.Reason, 0, len(r))
	for _, reason := range r {
		list = append(list, *reason)
	}
	slices.SortFunc(list, func(a, b report.Reason) int {
		return cmp.Or(cmp.Compare(b.Processes, a.Processes), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// NoRoom counts processes that were not observed because the observation had no room for them: up to n.
func (s *Summary) NoRoom(n uint64) { s.incomplete.NoRoom += n }

// SkippedExecs takes how many runs at an exec the kernel skipped: nil = not known.
func (s *Summary) SkippedExecs(n *uint64) { s.incomplete.SkippedExecs = n }

// Failed counts a process that could not be observed. why is the same text for all of a kind, and there are
// few kinds.
func (s *Summary) Failed(kind, why string) { s.failed.add(kind, why) }

// InPart counts a process that can be observed only in part, in the same way.
func (s *Summary) InPart(kind, why string) { s.inPart.add(kind, why) }

// Passed counts a process of a program that is not Go: it is not observed.
func (s *Summary) Passed(name string) { s.passed.add(short(name), others, 1, mostExecutables) }

// Add adds a process.
func (s *Summary) Add(p Process) {
	r, own := p.Report, newSums(p.Result)
	own.threads.of = identity(r)
	name, kind := s.place(&p)
	e := s.executables[name]
	if e == nil {
		e = &executable{kind: kind, tools: tally{}, sums: sums{costs: costs{}}, findings: map[string]bool{}}
		s.executables[name] = e
	}
	e.n++
	if kind == "go_build_tools" {
		e.tools.add(nameOf(r), others, 1, mostExecutables)
		s.counts.BuildTools++
	}
	if r.Lossy() {
		e.lossy++
	}
	s.all.add(&own)
	own.costs = own.costs.whole()
	e.sums.add(&own)
	s.addWindow(p.Result)
	s.addState(r)
	s.addFindings(r, name, e)
	if kind != "go_build_tools" {
		s.keep(r, &own)
	}
}

// place is the row of a process.
func (s *Summary) place(p *Process) (name, kind string) {
	name = nameOf(p.Report)
	if p.BuildTool() {
		return buildTools, "go_build_tools"
	}
	if s.executables[name] == nil && len(s.executables) >= mostExecutables {
		return others, "others"
	}
	return name, "program"
}

func nameOf(r *report.Report) string {
	if r.Target.Exe == nil {
		return nameless
	}
	return short(*r.Target.Exe)
}

// short is the name of a path, cut to what a file can be called.
func short(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	return strings.ToValidUTF8(strings.Clone(name[:min(len(name), mostName)]), "?")
}

// identity tells the report from others.
func identity(r *report.Report) report.ProcessID {
	id := report.ProcessID{PID: r.Target.PID, StartNS: r.Window.StartNS}
	if r.Target.Exe != nil {
		name := nameOf(r)
		id.Exe = &name
	}
	if c := r.Target.Container; c != nil {
		for _, name := range []*string{c.Name, c.ID, c.PodUID} {
			if name != nil {
				id.Container = name
				break
			}
		}
	}
	return id
}

func compareIDs(a, b report.ProcessID) int {
	return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.StartNS, b.StartNS))
}

func (s *Summary) addWindow(res *correlate.Result) {
	if s.counts.Observed == 0 || res.Start < s.start {
		s.start = res.Start
	}
	s.end = max(s.end, res.End)
	s.counts.Observed++
}

// addState counts what is missing of a process, and its losses.
func (s *Summary) addState(r *report.Report) {
	began := r.Target.StartedNS == nil || *r.Target.StartedNS < r.Window.StartNS
	complete := !began && r.Target.Ended != nil && !r.Lossy()
	for n, counts := range map[*uint64]bool{
		&s.counts.Complete:           complete,
		&s.counts.Judged:             slices.ContainsFunc(r.Judged, func(j report.Judged) bool { return j.Why == nil }),
		&s.incomplete.Began:          began,
		&s.incomplete.Living:         r.Target.Ended == nil,
		&s.incomplete.Lossy:          r.Lossy(),
		&s.incomplete.Skipped:        r.Loss.RecursionMisses > 0,
		&s.incomplete.KernelSideOnly: r.Target.Offsets == nil,
		&s.incomplete.LocksUnknown:   r.Target.Offsets != nil && r.Counts.LockedThreads == nil,
	} {
		if counts {
			*n++
		}
	}
	s.loss.Total += r.Loss.Total
	for kind, n := range r.Loss.ByKind {
		s.loss.ByKind[kind] += n
	}
	for hook, n := range r.Loss.Skipped {
		s.loss.Skipped[hook] += n
	}
	s.loss.Late += r.Loss.Late
	s.loss.Untracked += r.Loss.Untracked
	s.loss.UntrackedTurns += r.Loss.UntrackedTurns
	s.loss.BrokenLinks += r.Loss.BrokenLinks
	if n := r.Counts.LockedThreadsMax; n != nil {
		peak := &report.Peak{N: *n, ProcessID: identity(r)}
		if s.locked == nil || cmp.Or(cmp.Compare(peak.N, s.locked.N), compareIDs(s.locked.ProcessID, peak.ProcessID)) > 0 {
			s.locked = peak
		}
	}
}

// Meta is what a summary has besides its processes.
type Meta struct {
	Version  string
	Host     host.Info
	Start    events.Time // of the observation; 0 = the first process's
	End      events.Time // 0 = the last process's
	WallEnd  time.Time   // zero = not known
	Observer *report.GroupObserver
	Warnings []string // about the observation
}

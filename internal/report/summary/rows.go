package summary

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// keep keeps the row of a process if it is among the largest.
func (s *Summary) keep(r *report.Report, own *sums) {
	row := report.ProcessRow{ProcessID: identity(r), DurationS: r.Window.DurationS, Ended: r.Target.Ended,
		GoVersion: r.Target.GoVersion, Lossy: r.Lossy(), ThreadsMax: own.threads.n, Sums: own.Sums, Findings: []string{}}
	for i := range r.Findings {
		if id := r.Findings[i].ID; !slices.Contains(row.Findings, id) {
			row.Findings = append(row.Findings, id)
		}
	}
	at, _ := slices.BinarySearchFunc(s.rows, row, compareRows)
	if at >= mostRows {
		return
	}
	s.rows = slices.Insert(s.rows, at, row)
	s.rows = s.rows[:min(len(s.rows), mostRows)]
}

// compareRows orders processes by the CPU time that their threads' lives cost, then by all of it.
func compareRows(a, b report.ProcessRow) int {
	cost := func(r *report.ProcessRow) uint64 {
		if r.Sums.ThreadCostNS == nil {
			return 0
		}
		return *r.Sums.ThreadCostNS
	}
	return cmp.Or(cmp.Compare(len(b.Findings), len(a.Findings)), cmp.Compare(cost(&b), cost(&a)),
		cmp.Compare(b.Sums.RunNS, a.Sums.RunNS), compareIDs(a.ProcessID, b.ProcessID))
}

// Report makes the report of all processes so far. It shares nothing with later ones.
func (s *Summary) Report(m Meta) *report.Summary {
	whole := &correlate.Result{Start: cmp.Or(m.Start, s.start), End: max(m.End, s.end), Costs: s.all.costs.rows(),
		Loss: s.lost()}
	r := report.New(report.Meta{Version: m.Version, Host: m.Host, End: m.WallEnd}, whole)
	out := &report.Summary{
		Schema: report.SummaryID, Pinwatch: r.Pinwatch, Host: r.Host,
		Window: report.GroupWindow{StartNS: r.Window.StartNS, EndNS: r.Window.EndNS, DurationS: r.Window.DurationS,
			WallEnd: r.Window.WallEnd},
		Processes: s.counts, Incomplete: s.incomplete, Loss: s.loss, Observer: m.Observer, Sums: s.all.sum(),
		Findings: s.findingRows(), NotJudged: s.notJudgedRows(), Executables: s.executableRows(),
		Verdicts: r.Verdicts, Costs: r.Costs, Largest: slices.Clone(s.rows), Passed: s.passed.named(),
		Warnings: append([]string{}, m.Warnings...),
	}
	out.Loss.ByKind, out.Loss.Skipped = maps.Clone(s.loss.ByKind), maps.Clone(s.loss.Skipped)
	out.Incomplete.Failed, out.Incomplete.InPart = s.failed.list(), s.inPart.list()
	if out.Largest == nil {
		out.Largest = []report.ProcessRow{}
	}
	out.Omitted = s.counts.Observed - s.counts.BuildTools - uint64(len(out.Largest))
	if s.counts.Observed > 0 {
		out.Peaks.Threads = &report.Peak{N: s.all.threads.n, ProcessID: s.all.threads.of}
		if s.all.threads.lower {
			bound := "lower"
			out.Peaks.Threads.Bound = &bound
		}
	}
	if s.locked != nil {
		peak := *s.locked
		out.Peaks.LockedThreads = &peak
	}
	for i := range out.Executables {
		if out.Executables[i].Kind == "program" {
			out.Processes.Executables++
		}
	}
	return out
}

// lost are the losses as a Result has them.
func (s *Summary) lost() correlate.Loss {
	return correlate.Loss{ByKind: s.loss.ByKind, Late: s.loss.Late, Untracked: s.loss.Untracked,
		UntrackedTurns: s.loss.UntrackedTurns, BrokenLinks: s.loss.BrokenLinks, Skipped: s.loss.Skipped}
}

// executableRows lists the executables, those whose threads' lives cost most first.
func (s *Summary) executableRows() []report.Executable {
	rows := make([]report.Executable, 0, len(s.executables))
	for name, e := range s.executables {
		row := report.Executable{Name: name, Kind: e.kind, Processes: e.n, Lossy: e.lossy, Sums: e.sums.sum(),
			Findings: slices.AppendSeq([]string{}, maps.Keys(e.findings)),
			Costs:    report.New(report.Meta{}, &correlate.Result{Costs: e.sums.costs.rows()}).Costs}
		slices.Sort(row.Findings)
		if n := e.sums.threads.n; n > 0 {
			row.Threads = &n
		}
		if len(e.tools) > 0 {
			row.Tools = maps.Clone(e.tools)
		}
		rows = append(rows, row)
	}
	cost := func(e *report.Executable) uint64 {
		if e.Sums.ThreadCostNS == nil {
			return 0
		}
		return *e.Sums.ThreadCostNS
	}
	slices.SortFunc(rows, func(a, b report.Executable) int {
		return cmp.Or(cmp.Compare(cost(&b), cost(&a)), cmp.Compare(b.Sums.RunNS, a.Sums.RunNS), cmp.Compare(a.Name, b.Name))
	})
	return rows
}

// sum is a copy of the sums.
func (s *sums) sum() report.Sums {
	copied := sums{costs: costs{}}
	copied.add(s)
	return copied.Sums
}

func seconds(ns int64) float64 { return unit.Round(time.Duration(ns).Seconds(), 6) }

package summary

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/pinwatch/pinwatch/internal/report"
)

// finding is one kind of finding in all processes.
type finding struct {
	n, processes uint64
	executables  tally
	costs        uint64 // findings with a cost
	costNS       int64  // CPU time, their sum
	severity     string // of the worst
	worst        report.GroupFindingDetail
	worstNS      int64
}

// severities are in ascending order.
var severities = []string{"info", "warn", "error"}

func rank(severity string) int { return slices.Index(severities, severity) }

// addFindings adds the findings of a process, and the kinds that were not looked for.
func (s *Summary) addFindings(r *report.Report, name string, e *executable) {
	seen, worst := map[string]bool{}, -1
	for i := range r.Findings {
		f := &r.Findings[i]
		kind := s.findings[f.ID]
		if kind == nil {
			kind = &finding{executables: tally{}}
			s.findings[f.ID] = kind
		}
		kind.add(f, r)
		if !seen[f.ID] {
			seen[f.ID] = true
			kind.processes++
			kind.executables.add(name, others, 1, mostExecutables)
			e.findings[f.ID] = true
		}
		worst = max(worst, rank(f.Severity))
	}
	if worst >= 0 {
		*[]*uint64{&s.counts.WithInfo, &s.counts.WithWarn, &s.counts.WithError}[worst]++
	}
	for _, j := range r.Judged {
		if j.Why == nil {
			continue
		}
		if s.notJudged[j.ID] == nil {
			s.notJudged[j.ID] = tally{}
		}
		s.notJudged[j.ID].add(*j.Why, "for other reasons", 1, mostReasons)
	}
}

// add adds a finding of one process. The worst is the most severe one, then the one that costs most.
func (k *finding) add(f *report.Finding, r *report.Report) {
	var ns int64
	if f.Cost != nil {
		ns = int64(math.Round(f.Cost.CPU * r.Window.ActiveS * 1e9))
		k.costs++
		k.costNS += ns
	}
	detail := report.GroupFindingDetail{ProcessID: identity(r), Message: f.Message, Advice: f.Advice}
	if k.n == 0 || cmp.Or(cmp.Compare(rank(f.Severity), rank(k.severity)), cmp.Compare(ns, k.worstNS),
		compareIDs(k.worst.ProcessID, detail.ProcessID), cmp.Compare(k.worst.Message, f.Message)) > 0 {
		k.severity, k.worst, k.worstNS = f.Severity, detail, ns
	}
	k.n++
}

// findingRows lists the findings, the most severe and dearest first.
func (s *Summary) findingRows() []report.GroupFinding {
	rows := make([]report.GroupFinding, 0, len(s.findings))
	for id, k := range s.findings {
		row := report.GroupFinding{ID: id, Severity: k.severity, Findings: k.n, Processes: k.processes,
			Executables: k.executables.named(), Worst: k.worst}
		if k.costs > 0 {
			row.Cost = &report.GroupFindingCost{CPUSeconds: seconds(k.costNS), Findings: k.costs}
		}
		rows = append(rows, row)
	}
	cost := func(f *report.GroupFinding) float64 {
		if f.Cost == nil {
			return 0
		}
		return f.Cost.CPUSeconds
	}
	slices.SortFunc(rows, func(a, b report.GroupFinding) int {
		return cmp.Or(cmp.Compare(rank(b.Severity), rank(a.Severity)), cmp.Compare(cost(&b), cost(&a)),
			cmp.Compare(b.Processes, a.Processes), cmp.Compare(a.ID, b.ID))
	})
	return rows
}

// notJudgedRows lists the kinds that were not looked for in some processes, those of the most first.
func (s *Summary) notJudgedRows() []report.GroupNotJudged {
	rows := make([]report.GroupNotJudged, 0, len(s.notJudged))
	for _, id := range slices.Sorted(maps.Keys(s.notJudged)) {
		reasons := s.notJudged[id].named()
		row := report.GroupNotJudged{ID: id, Why: reasons[0].Name}
		for _, r := range reasons {
			row.Processes += r.Processes
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b report.GroupNotJudged) int { return cmp.Compare(b.Processes, a.Processes) })
	return rows
}

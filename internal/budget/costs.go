package budget

import (
	"fmt"
	"math"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/report"
)

// SamplesFor is the least number of samples from which a quantile is taken. With n independent samples
// the population's q quantile lies outside [min, max] with probability qⁿ + (1−q)ⁿ; this is the first n
// where that is below 5 %, as contract.MinSamples is for the median: 6 for p50, 29 for p90, 299 for p99,
// 2995 for p999.
func SamplesFor(q float64) int64 {
	n := int64(1)
	for math.Pow(q, float64(n))+math.Pow(1-q, float64(n)) > 0.05 {
		n++
	}
	return n
}

// samplesFor is the least number of samples for a statistic. The smallest and the largest are facts about
// the samples that there are.
func samplesFor(stat string) int64 {
	switch q := quantile(stat); {
	case q > 0:
		return SamplesFor(q)
	case stat == "min" || stat == "max":
		return 1
	}
	return contract.MinSamples
}

// costValue is the value of a statistic. Rows that are bounds of a cost give an interval.
func (sc *scope) costValue(want *costRow) value {
	rows, others := sc.rows(want)
	if len(rows) == 0 {
		if len(others) > 0 {
			return unknown("no sample of it; there are %s", strings.Join(others, ", "))
		}
		return unknown("this report has no such cost")
	}
	isCount := want.stat == "n" || want.stat == "unfinished"
	missing := sc.loss.Missing(&correlate.Cost{ID: want.id, Phase: want.phase})
	var v value
	for _, row := range rows {
		n, _ := row["n"].(float64)
		found, is := row[want.stat].(float64)
		switch need := samplesFor(want.stat); {
		case isCount && is && want.stat == "n" && sc.lost != "":
			return lacking(found, sc.lost)
		case sc.lost != "":
			return unknown("%s", sc.lost)
		case isCount && is:
			v = v.and(found, found)
			v.hi = ptr(*v.hi + float64(missing))
			continue
		case missing > 0:
			return unknown("the kernel skipped runs of pinwatch's programs: up to %d samples are missing", missing)
		case n == 0:
			return unknown("no sample")
		case n < float64(need):
			return unknown("%v samples, and %s takes %d", n, want.stat, need)
		case !is:
			return unknown("not known: it is null")
		}
		switch row["bound"] {
		case "lower":
			v.lo = &found
		case "upper":
			v.hi = &found
		default:
			v.lo, v.hi = &found, &found
		}
	}
	if v.lo == nil || v.hi == nil {
		v.why = "the report has a bound of this cost only"
	}
	return v
}

// and widens an interval.
func (v value) and(lo, hi float64) value {
	if v.lo != nil {
		lo = min(lo, *v.lo)
	}
	if v.hi != nil {
		hi = max(hi, *v.hi)
	}
	return value{lo: &lo, hi: &hi}
}

// rows are the rows of a cost and population, and the other populations along its dimension.
func (sc *scope) rows(want *costRow) (rows []object, others []string) {
	list, _ := sc.doc["costs"].([]any)
	for _, one := range list {
		row, _ := one.(object)
		if row["id"] != want.id || row["phase"] != want.phase {
			continue
		}
		same := true
		for dimension, value := range map[string]string{"locked": want.locked, "cause": want.cause, "state": want.state} {
			has := ""
			if row[dimension] != nil {
				has = fmt.Sprint(row[dimension])
			}
			if same = same && has == value; has != "" && value != "" && has != value {
				others = append(others, dimension+"="+has)
			}
		}
		if same {
			rows = append(rows, row)
		}
	}
	return rows, others
}

// foundInReport counts findings of one process. A report has findings.PerKind of a kind at most.
func (s *Subject) foundInReport(m *metric) value {
	n, byKind, full := 0.0, map[string]int{}, false
	for _, f := range s.report.Findings {
		if m.counts(f.ID, f.Severity) {
			n++
			byKind[f.ID]++
			full = full || byKind[f.ID] == findings.PerKind
		}
	}
	unjudged, judged := 0, m.atSeverity
	for _, j := range s.report.Judged {
		judged = judged || j.ID == m.finding
		if j.Why == nil {
			continue
		}
		if unjudged++; j.ID == m.finding && n == 0 {
			return unknown("not looked for: %s", *j.Why)
		}
	}
	switch {
	case full:
		return atLeast(n, "a report has %d of a kind at most", findings.PerKind)
	case unjudged == len(s.report.Judged) || !judged:
		return atLeast(n, "the report does not say that it was looked for")
	}
	v := exactly(n)
	if m.atSeverity && unjudged > 0 {
		v.why = fmt.Sprintf("%d of %d kinds of findings were not looked for", unjudged, len(s.report.Judged))
	}
	return v
}

// foundInSummary counts findings of all processes. Of a kind the summary has the severity of the worst.
func (s *Subject) foundInSummary(m *metric) value {
	if s.summary.Processes.Judged == 0 {
		return unknown("not looked for")
	}
	v, full := exactly(0), false
	for i := range s.summary.Findings {
		f := &s.summary.Findings[i]
		if !m.counts(f.ID, f.Severity) {
			continue
		}
		least := float64(f.Findings)
		if m.atSeverity && m.finding != severities[0] {
			least = 1
		}
		v = value{lo: ptr(*v.lo + least), hi: ptr(*v.hi + float64(f.Findings))}
		full = full || f.Findings+1 >= f.Processes+findings.PerKind // the others have one at least
	}
	if full {
		return atLeast(*v.lo, "a report has %d of a kind at most", findings.PerKind)
	}
	for _, j := range s.summary.NotJudged {
		if j.ID == m.finding {
			return atLeast(*v.lo, "not looked for in %d processes: %s", j.Processes, j.Why)
		}
	}
	if n := len(s.summary.NotJudged); m.atSeverity && n > 0 {
		v.why = fmt.Sprintf("%d kinds of findings were not looked for in some processes", n)
	}
	return v
}

// foundInExecutable counts findings of the processes of one executable: at least one in each process
// that has the kind, and of what severity is not known.
func (s *Subject) foundInExecutable(e *report.Executable, m *metric) value {
	n, some := 0.0, false
	for i := range s.summary.Findings {
		f := &s.summary.Findings[i]
		if !m.counts(f.ID, f.Severity) {
			continue
		}
		for _, x := range f.Executables {
			if x.Name == e.Name {
				some = true
				if !m.atSeverity || m.finding == severities[0] {
					n += float64(x.Processes)
				}
			}
		}
	}
	if some {
		return atLeast(n, "a summary has the processes with a kind of finding, not their severities")
	}
	v := s.foundInSummary(m)
	if v.hi == nil {
		return unknown("%s", v.why)
	}
	return value{lo: ptr(0.0), hi: ptr(0.0), why: v.why}
}

// counts reports whether a metric counts a finding.
func (m *metric) counts(id, severity string) bool {
	if !m.atSeverity {
		return id == m.finding
	}
	return rank(severity) >= rank(m.finding)
}

func rank(severity string) int {
	for i, s := range severities {
		if s == severity {
			return i
		}
	}
	return len(severities) // one that this pinwatch does not know counts as the worst
}

func ptr(v float64) *float64 { return &v }

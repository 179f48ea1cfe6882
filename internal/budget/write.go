package budget

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
)

// Headroom of the budgets that Write makes: the factor by kind. A median moves less from run to run than
// a tail.
const (
	headroomMedian = 1.5
	headroomTail   = 2
	headroomCount  = 1.5
)

// lossyError is a subject that is no basis for budgets.
type lossyError struct{ why string }

func (e *lossyError) Error() string {
	return e.why + ": its numbers are no basis for budgets; observe again, with a larger --ring-size"
}

// initCounts are the counts that Write makes budgets of: those that do not grow with the length of the
// window, and one that should be 0 in any.
var initCounts = []string{"threads", "locked_threads_max", "threads_exited_locked", "peaks.threads.n",
	"peaks.locked_threads.n"}

// Write makes a file of budgets, with headroom, that the subject keeps. The same subject gives the same
// file.
func Write(w io.Writer, s *Subject) error {
	sc, _ := s.scope("")
	if sc.lost != "" {
		return &lossyError{s.Name + ": " + sc.lost}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Budgets for pinwatch check, made by pinwatch check --init from %s.\n"+
		"# Medians have %v times what was measured, tails %v times, counts %v times; 0 stays 0.\n"+
		"# Tighten what you can promise, and delete what you do not care for.\nschema: %s\n", oneWord(s.Name),
		headroomMedian, headroomTail, headroomCount, SchemaID)
	written := 0
	for _, severity := range []string{"error", "warn"} {
		m, _ := findFinding(severity)
		if v := s.value("", &m); v.hi != nil {
			if written++; written == 1 {
				b.WriteString("\n# Findings of that severity or above: none more than there were.\nfindings:\n")
			}
			fmt.Fprintf(&b, "  %s: %s\n", severity, most(*v.hi, ""))
		}
	}
	fmt.Fprintf(&b, "\n# Threads\n")
	for _, name := range initCounts {
		m, _ := findMetric(name)
		if v := s.value("", &m); v.lo != nil && v.hi != nil && (*v.hi > 0 || name != "threads") { // 0: it has ended
			fmt.Fprintf(&b, "%s: %s\n", name, most(math.Ceil(headroomCount**v.hi), ""))
		}
	}
	fmt.Fprintf(&b, "\n# Costs with enough samples (p50 takes %d, p99 %d)\n", SamplesFor(0.5), SamplesFor(0.99))
	for _, c := range correlate.Phases() {
		if c.ID == "P-9" && c.Phase == "free" { // mostly a grace period of the kernel
			continue
		}
		writeCost(&b, s, c.ID+"."+c.Phase+".p50", headroomMedian)
		writeCost(&b, s, c.ID+"."+c.Phase+".p99", headroomTail)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write budgets: %w", err)
	}
	return nil
}

func writeCost(b *strings.Builder, s *Subject, name string, headroom float64) {
	m, _ := findMetric(name)
	if v := s.value("", &m); v.hi != nil {
		ns, unit := headroom**v.hi, "ns"
		for _, larger := range []string{"us", "ms", "s"} {
			if ns < 1000 {
				break
			}
			ns, unit = ns/1000, larger
		}
		fmt.Fprintf(b, "%s: %s\n", name, most(upTo2(ns), unit))
	}
}

// upTo2 rounds up to two digits, from 100 on to whole numbers of ten.
func upTo2(v float64) float64 {
	if v <= 0 {
		return 0
	}
	step := math.Pow(10, math.Floor(math.Log10(v))-1)
	if step < 1 {
		return math.Ceil(v*math.Round(1/step)) / math.Round(1/step)
	}
	return math.Ceil(v/step) * step
}

func most(v float64, unit string) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("<= %v%s", v, unit)
}

// oneWord keeps a name in its line of a comment.
func oneWord(s string) string { return strings.Join(strings.Fields(s), " ") }

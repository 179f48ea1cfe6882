package truth

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// counted is how often a kind of moment is in each record.
type counted struct {
	what   string
	seen   int   // pinwatch's
	others []int // by view; -1 = it does not record that
	outOf  []int // by view: stamps on the wrong side of pinwatch's
}

// timing is the samples of one kind by pinwatch's stamps, and by another instrument's of the same
// events.
type timing struct {
	name, by      string
	samples, its  int
	median        int64   // of pinwatch's
	diffs         []int64 // pinwatch's less the other's, of the same sample, ascending
	relative      []float64
	outOf, missed int // ends on the wrong side; samples that pinwatch has not
}

// tolerance is by how much two stamps of CLOCK_MONOTONIC, taken one after the other, may be out of
// order. The trace buffer's text is rounded to the nearest µs, and the clock that tracers read may
// step back by nanoseconds when it is adjusted (ktime_get_mono_fast_ns in
// kernel/time/timekeeping.c).
const tolerance = 1000

// ordered reports whether two stamps of one moment are in the order in which their programs ran.
func (v *view) ordered(pinwatch, other int64) bool {
	if v.early {
		return other <= pinwatch+tolerance
	}
	return pinwatch <= other+tolerance
}

// compareMoments matches, kind by kind, every moment of pinwatch's with each witness's, by thread
// and order.
func (w *witnessed) compareMoments() (rows []counted, problems []string) {
	for _, what := range exactly {
		ours := byThread(w.seen, what)
		row := counted{what: what, seen: total(ours)}
		for i := range w.views {
			v := &w.views[i]
			if v.derived || v.only != nil && !slices.Contains(v.only, what) {
				row.others, row.outOf = append(row.others, -1), append(row.outOf, 0)
				continue
			}
			theirs := byThread(v.stream, what)
			outOf := 0
			for _, tid := range threadsOf(ours, theirs) {
				a, b := ours[tid], theirs[tid]
				if len(a) != len(b) {
					problems = append(problems, fmt.Sprintf("%s of thread %d: %d, %s has %d", what, tid, len(a),
						v.name, len(b)))
					continue
				}
				for i := range a {
					if !v.ordered(a[i].at, b[i].at) {
						outOf++
					}
					differ := a[i].arg != b[i].arg || a[i].by != b[i].by
					if what != sigmask && differ && !w.wokenMeanwhile(a[i], b[i]) {
						problems = append(problems, fmt.Sprintf("%s of thread %d: %+v, %s has %+v", what, tid, a[i],
							v.name, b[i]))
					}
				}
			}
			row.others, row.outOf = append(row.others, total(theirs)), append(row.outOf, outOf)
			if outOf > 0 && w.ordered {
				problems = append(problems, fmt.Sprintf("%s: %d of %d stamps of %s are on the wrong side of pinwatch's",
					what, outOf, row.seen, v.name))
			}
		}
		if row.seen > 0 || slices.Max(row.others) > 0 {
			rows = append(rows, row)
		}
	}
	return rows, problems
}

// wokenMeanwhile reports whether a switch-out differs only because another CPU is waking the
// thread. Before Linux 5.18 the tracepoint reads the state from the task, and shows TASK_WAKING as
// runnable (include/trace/events/sched.h, __trace_sched_switch_state).
func (w *witnessed) wokenMeanwhile(ours, other moment) bool {
	var major, minor int
	if _, err := fmt.Sscanf(worth(w.report.Host.Kernel), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return ours.what == goOff && ours.arg == 0 && other.arg == outRunnable && (major < 5 || major == 5 && minor < 18)
}

func byThread(s stream, what string) map[int32][]moment {
	of := map[int32][]moment{}
	for _, m := range s {
		if m.what == what {
			of[m.tid] = append(of[m.tid], m)
		}
	}
	return of
}

func total[T any](of map[int32][]T) (n int) {
	for _, list := range of {
		n += len(list)
	}
	return n
}

func threadsOf[T any](a, b map[int32][]T) []int32 {
	tids := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(tids)
	return slices.Compact(tids)
}

// sampleNames are the intervals that are compared, in the order of the table.
var sampleNames = []string{
	"P-8 clone_syscall", "P-8 spawn", "P-8 runq_wait", "P-8 start", "P-8 total", "P-9 runtime", "P-9 exit",
	"P-5 send", "P-5 deliver", "P-5 handler", onCPU, waitWoken, waitPreempted,
}

// compareTimes compares sample by sample how long everything took.
func (w *witnessed) compareTimes() (rows []timing, problems []string) {
	seen := w.seen.intervals(w.lived)
	for _, name := range sampleNames {
		for i := range w.views {
			v := &w.views[i]
			if len(seen[name]) == 0 && len(v.intervals[name]) == 0 || len(v.intervals[name]) == 0 {
				continue
			}
			row := timing{name: name, by: v.name, samples: len(seen[name]), its: len(v.intervals[name]),
				median: medianNS(seen[name])}
			ours, theirs := ofThread(seen[name]), ofThread(v.intervals[name])
			for _, tid := range threadsOf(ours, theirs) {
				row.add(v, ours[tid], theirs[tid])
			}
			slices.Sort(row.diffs)
			slices.Sort(row.relative)
			rows = append(rows, row)
			// A waking on one CPU and the switch-out on another have no common order.
			if uint64(row.missed) > w.report.Loss.BrokenLinks && name != waitWoken && name != waitPreempted {
				problems = append(problems, fmt.Sprintf("%s: pinwatch lacks %d of the %d samples of %s", name,
					row.missed, row.its, v.name))
			}
			if row.outOf > 0 && w.ordered {
				problems = append(problems, fmt.Sprintf("%s: %d ends of %d samples are on the wrong side of %s", name,
					row.outOf, len(row.diffs), v.name))
			}
		}
	}
	return rows, problems
}

func ofThread(intervals []interval) map[int32][]interval {
	of := map[int32][]interval{}
	for _, iv := range intervals {
		of[iv.tid] = append(of[iv.tid], iv)
	}
	for _, list := range of {
		slices.SortFunc(list, func(a, b interval) int { return cmp.Compare(a.end, b.end) })
	}
	return of
}

func medianNS(intervals []interval) int64 {
	ns := make([]int64, len(intervals))
	for i, iv := range intervals {
		ns[i] = iv.ns()
	}
	slices.Sort(ns)
	return quantile(ns, 0.5)
}

// add pairs samples of one thread. Those of one instrument do not overlap, so two that overlap are
// the same sample.
func (row *timing) add(v *view, ours, theirs []interval) {
	i, j := 0, 0
	for i < len(ours) && j < len(theirs) {
		a, b := ours[i], theirs[j]
		switch {
		case a.end < b.begin-tolerance:
			i++
		case b.end < a.begin-tolerance:
			row.missed++
			j++
		default:
			row.diffs = append(row.diffs, a.ns()-b.ns())
			row.relative = append(row.relative, float64(a.ns()-b.ns())/float64(max(a.ns(), 1)))
			if !v.derived && (!v.ordered(a.begin, b.begin) || !v.ordered(a.end, b.end)) {
				row.outOf++
			}
			i++
			j++
		}
	}
	row.missed += len(theirs) - j
}

// quantile is the nearest rank of an ascending list; the zero value of an empty one.
func quantile[T cmp.Ordered](list []T, q float64) (v T) {
	if len(list) == 0 {
		return v
	}
	return list[min(len(list)-1, int(q*float64(len(list))))]
}

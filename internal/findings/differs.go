package findings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// threadDiffers finds threads that belong to no goroutine, but are not as the process is: some code
// changed its thread's state and returned the thread to the pool. Whatever goroutine runs there next
// has that state, and so has every thread that is created from there (newm1 in runtime/proc.go
// avoids that only for locked threads). One thread is enough.
func threadDiffers(o *observed) []Finding {
	pool := map[int32]*correlate.Thread{}
	standard := int32(0)
	for i := range o.Threads {
		t := &o.Threads[i]
		if t.ExitedAt != 0 {
			continue
		}
		if pooled, model := InPool(t.Role, t.Lock.State); pooled {
			pool[t.TID] = t
		} else if model {
			standard = t.TID
		}
	}
	fs := Differing(o.Attributes, slices.Sorted(maps.Keys(pool)), standard)
	for i := range fs {
		var ran int64
		for _, tid := range fs[i].threads {
			ran += pool[tid].Run
		}
		fs[i].Evidence["ran_ns"], fs[i].Evidence["lossy"] = ran, !o.complete
		if ran > 0 {
			fs[i].Message += fmt.Sprintf("; goroutines that know nothing of it ran there for %s in this window",
				unit.ShortDuration(float64(ran)))
		}
	}
	out := make([]Finding, 0, len(fs))
	for _, f := range fs {
		out = append(out, f.Finding)
	}
	return out
}

// InPool reports whether any goroutine may run on a thread with this role and lock, and whether the
// thread is sysmon, the model of those.
func InPool(role, lock string) (pooled, model bool) {
	return lock == "none" && (role == "main" || role == "worker" || role == "template"), lock == "none" && role == "sysmon"
}

// Difference is the finding of threads that differ in the same way.
type Difference struct {
	Finding
	threads []int32
}

// Differing compares threads of the pool, which any goroutine may run on, with what the process is:
// as the thread standard is, or without it as most are. There is
// one finding for all threads that differ in the same attributes. The threads are in the order of
// their tids.
func Differing(a Attributes, pool []int32, standard int32) (fs []Difference) {
	process := a.ByTID[standard]
	if process == nil {
		process = most(a, pool)
	}
	groups := map[string]*Difference{}
	for _, tid := range pool {
		values := a.ByTID[tid]
		var names, words []string
		for i := range min(len(values), len(process)) {
			if values[i] != "" && process[i] != "" && values[i] != process[i] {
				names = append(names, a.Names[i])
				words = append(words, a.Names[i]+" "+shortened(values[i])+" (process: "+shortened(process[i])+")")
			}
		}
		if names == nil {
			continue
		}
		key := strings.Join(words, ", ")
		if groups[key] == nil {
			groups[key] = &Difference{Finding: differs(names)}
		}
		groups[key].threads = append(groups[key].threads, tid)
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		f := groups[key]
		f.Message = fmt.Sprintf("%s of the pool, locked to no goroutine, with another state than the process: %s",
			unit.Plural(len(f.threads), "thread"), key)
		f.Evidence["threads"], f.Evidence["tids"] = len(f.threads), f.threads[:min(len(f.threads), mostTIDs)]
		fs = append(fs, *f)
	}
	slices.SortStableFunc(fs, func(a, b Difference) int { return len(b.threads) - len(a.threads) })
	return fs
}

func differs(names []string) Finding {
	return Finding{ID: "thread-differs", Severity: warn,
		Advice: "find the code that changes this after runtime.LockOSThread and calls UnlockOSThread without changing it " +
			"back on every path (pinwatch vet looks for that); where it can't be changed back, let the goroutine end locked: " +
			"the runtime then destroys the thread. Tools that change one thread only make the same mistake (renice -p, " +
			"taskset -p, chrt -p). Threads that are so now stay so until the program restarts",
		Evidence: map[string]any{"attributes": names},
	}
}

// most returns the attributes that most of the threads share.
func most(a Attributes, pool []int32) (values []string) {
	n := map[string]int{}
	for _, tid := range pool {
		key := strings.Join(a.ByTID[tid], "\n")
		n[key]++
		if a.ByTID[tid] != nil && (values == nil || n[key] > n[strings.Join(values, "\n")]) {
			values = a.ByTID[tid]
		}
	}
	return values
}

// longestValue is how much of a value stands in a message.
const longestValue = 40

func shortened(value string) string {
	if runes := []rune(value); len(runes) > longestValue {
		return string(runes[:longestValue]) + "…"
	}
	return value
}

// overridden finds pinned threads that were bound to some CPUs when the window began, and at its
// end to others, though they did not do that themselves. Who did is known where the process's
// cpuset changed too; and where the thread never ran, somebody else must have.
func overridden(o *observed) (fs []Finding) {
	all := everyCPU(o.AffinityBefore)
	for i := range o.Threads {
		t := &o.Threads[i]
		before, now := o.AffinityBefore[t.TID], o.Affinity[t.TID]
		if t.Lock.State != "user" || t.ExitedAt != 0 || len(before) == 0 || len(before) >= len(all) || len(now) == 0 ||
			slices.Equal(before, now) {
			continue
		}
		who := ""
		switch {
		case o.CPUSetBefore != "" && o.CPUSet != "" && o.CPUSetBefore != o.CPUSet:
			who = fmt.Sprintf("its cpuset was changed from CPU %s to %s meanwhile", o.CPUSetBefore, o.CPUSet)
		case neverRan(t) && o.complete:
			who = "the thread did not run meanwhile, so another thread or process did it"
		default:
			continue // perhaps the program meant it
		}
		fs = append(fs, Finding{ID: "affinity-overridden", Severity: warn,
			Message: fmt.Sprintf("thread %d of %s was bound to CPU %s and is now to %s: %s", t.TID, goroutineOf(t.Lock.Entry),
				unit.CPUs(before), unit.CPUs(now), who),
			Advice: fmt.Sprintf("bind the thread again after such a change: in %s compare sched_getaffinity with what was set, "+
				"now and then; or give the program a cpuset that nobody else changes (static CPU manager policy, "+
				"cpuset-cpus)", function(t.Lock.Entry)),
			Evidence: map[string]any{"tid": t.TID, "function": orNil(t.Lock.Entry), "cpus_before": slices.Clone(before),
				"cpus_now": slices.Clone(now), "cpuset_before": orNil(o.CPUSetBefore), "cpuset_now": orNil(o.CPUSet)},
		})
	}
	return fs
}

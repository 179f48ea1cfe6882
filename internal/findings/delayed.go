package findings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// delayedLeast waits are no accident: a machine that boots, builds or updates has a few.
	delayedLeast = 10
	// delayedShare is the part of a thread's time in the window that the waits took: 1 of 100
	// requests that come at any time finds the thread waiting.
	delayedShare = 0.01
	// delayedWarn is the part from which on a tenth of the thread's speed, or of its deadlines, is lost.
	delayedWarn = 0.10
	// delayedNames is how many rivals a message names.
	delayedNames = 3
)

// delayed finds pinned threads that wait for a CPU for 1 ms or more, again and again, and who runs
// meanwhile. On an isolated CPU no other process has any business: one wait is enough.
func delayed(o *observed) (fs []Finding) {
	shared := sharedCores(o)
	for i := range o.Delays {
		d := &o.Delays[i]
		share := float64(d.WaitNS) / float64(o.ns) / float64(max(len(d.Threads), 1))
		often := d.Wait.N() >= delayedLeast && share >= delayedShare
		intruded := d.Isolated && slices.ContainsFunc(d.By, intruder)
		if !often && !intruded || ofOwnThreads(d, shared) {
			continue
		}
		where := "a CPU"
		if d.Isolated {
			where = "an isolated CPU"
		}
		f := Finding{ID: "pinned-thread-delayed", Severity: info,
			Message: fmt.Sprintf("%s of %s waited for %s %s%d times in %s, %s for 1 in 100 of them, %s at worst: "+
				"%s of the time in all", unit.Plural(len(d.Threads), "pinned thread"), goroutineOf(d.Entry), where,
				o.atLeast(), d.Wait.N(), unit.ShortDuration(float64(o.ns)), unit.ShortDuration(float64(d.Wait.Quantile(0.99))),
				unit.ShortDuration(float64(d.Wait.Max())), unit.ShortPercent(share)),
			Evidence: map[string]any{"function": orNil(d.Entry), "threads": len(d.Threads),
				"tids": slices.Clone(d.Threads[:min(len(d.Threads), mostTIDs)]), "delays": d.Wait.N(),
				"delays_per_s": rounded(o.rate(uint64(d.Wait.N()))), "wait_ns": d.WaitNS, "waiting_fraction": rounded(share),
				"median_ns": d.Wait.Quantile(0.5), "tail_ns": d.Wait.Quantile(0.99), "worst_ns": d.Wait.Max(),
				"isolated_cpus": d.Isolated, "by": rivalWords(d), "lossy": !o.complete},
		}
		f.Message += fmt.Sprintf("; meanwhile ran %s", strings.Join(rivalWords(d), ", "))
		if share >= delayedWarn {
			f.Severity = warn
		}
		f.Advice = delayedAdvice(o, d)
		fs = append(fs, f)
	}
	return fs
}

// ofOwnThreads reports whether other threads of the program are why a thread waited, and another
// finding tells that.
func ofOwnThreads(d *correlate.Delay, shared []Finding) bool {
	var own int64
	for _, by := range d.By {
		if by.What == "own_thread" {
			own += by.WaitNS
		}
	}
	return 2*own > d.WaitNS && slices.ContainsFunc(shared, func(f Finding) bool {
		return f.Evidence["function"] == orNil(d.Entry)
	})
}

// intruder reports whether a thread that is not the program's took the CPU.
func intruder(by correlate.DelayedBy) bool {
	return by.N > 0 && (by.What == "process" || by.What == "kernel_thread")
}

// rivalWords names those who took the CPU most.
func rivalWords(d *correlate.Delay) (words []string) {
	for _, by := range d.By[:min(len(d.By), delayedNames)] {
		if by.N > 0 {
			words = append(words, fmt.Sprintf("%s (%s of the waits)", rival(&by),
				unit.ShortPercent(float64(by.N)/float64(d.Wait.N()))))
		}
	}
	return words
}

func rival(by *correlate.DelayedBy) string {
	name, id := by.Name, ""
	if name == "" {
		name = "a process that has ended"
	}
	if by.ID != 0 {
		id = fmt.Sprintf(", pid %d", by.ID)
	}
	switch by.What {
	case "kernel_thread":
		return "the kernel thread " + name
	case "own_thread":
		return fmt.Sprintf("another thread of this program (tid %d)", by.ID)
	case "idle":
		return "nothing (the CPU was idle: a sleeping virtual CPU, or a quota)"
	case "others":
		return "others"
	}
	return name + id
}

// delayedAdvice is for the one who took the CPU most.
func delayedAdvice(o *observed, d *correlate.Delay) string {
	where := "give it a CPU of its own: keep everything else off one (a cpuset, isolcpus) and bind only this thread to " +
		"it, by sched_setaffinity right after LockOSThread in " + function(d.Entry)
	if cpus := o.boundTo(d); cpus != "" {
		where = fmt.Sprintf("the thread may run on CPU %s only: keep everything else off that (a cpuset, isolcpus), or let "+
			"the thread run on more CPUs", cpus)
	}
	switch by := &d.By[0]; by.What {
	case "idle":
		return "no thread took the CPU: look for a quota of CPU time (cpu.max), and for steal time of this virtual machine"
	case "own_thread":
		return where + "; or lower GOMAXPROCS, so that fewer threads of this program run at a time"
	case "kernel_thread":
		return where + "; work of the kernel is moved by its own settings (IRQ affinity, workqueue cpumask, nohz_full)"
	}
	return where + "; or put it before the other process: a lower nice value, a larger cpu.weight, or a real-time policy"
}

// boundTo returns the CPUs that the threads of a delay are restricted to; "" = they are not all to the
// same, or that is not known.
func (o *observed) boundTo(d *correlate.Delay) string {
	all := len(everyCPU(o.Affinity))
	var bound []int
	for _, tid := range d.Threads {
		cpus := o.Affinity[tid]
		if len(cpus) == 0 || len(cpus) >= all || bound != nil && !slices.Equal(cpus, bound) {
			return ""
		}
		bound = cpus
	}
	return unit.CPUs(bound)
}

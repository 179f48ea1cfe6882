package findings

import (
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// callsLeast interrupted calls are no accident: a signal that is under way when a thread enters a
	// call ends it, which happens now and then in any program that is preempted.
	callsLeast = 10
	// callsWarn per second: code that does not call again fails all the time.
	callsWarn = 1.0
)

// callsRetried return EINTR to code that always calls again: the runtime's own waits
// (runtime/netpoll_epoll.go, os_linux.go), and those of the C library for its locks.
var callsRetried = []string{"epoll_pwait", "futex"}

// interruptedCalls finds system calls that the runtime's signal for preemption ends with EINTR. The
// runtime sends none to a thread that it knows to be in a call (runtime.preemptone). But a signal may
// be under way when the thread enters the call, and of a raw call the runtime does not know: such a
// thread gets one every 10 ms (runtime.retake).
func interruptedCalls(o *observed) (fs []Finding) {
	for i := range o.Calls {
		c := &o.Calls[i]
		name := procfs.Syscall{Number: c.Number}.Name()
		if c.Interrupted < callsLeast || slices.Contains(callsRetried, name) {
			continue
		}
		f := Finding{ID: "interrupted-calls", Severity: info,
			Message: fmt.Sprintf("%s(2) returned EINTR %s%d times in %s (%s/s): the Go runtime sent SIGURG, to preempt a "+
				"goroutine, to a thread that waited in it", name, o.atLeast(), c.Interrupted, unit.ShortDuration(float64(o.ns)),
				unit.Short(o.rate(c.Interrupted))),
			Advice: "call again when it returns EINTR, with the time that is left (Go's os and net do that; raw calls, " +
				"golang.org/x/sys/unix and C libraries may not). Where the code can't be changed, block SIGURG in the " +
				"C code around the call. GODEBUG=asyncpreemptoff=1 shows, as a test, whether an error comes from this",
			Evidence: map[string]any{"call": name, "interrupted": c.Interrupted,
				"interrupted_per_s": rounded(o.rate(c.Interrupted)), "restarted": c.Restarted, "threads": len(c.Threads),
				"interrupted_locked": nil, "tid": nil, "function": nil, "lossy": !o.complete},
		}
		if o.Counts.LockedThreads != nil {
			f.Evidence["interrupted_locked"] = c.InterruptedLocked
		}
		if len(c.Threads) > 0 {
			most := c.Threads[0]
			f.Evidence["tid"] = most.TID
			f.Message += fmt.Sprintf("; most of all tid %d (%d times)", most.TID, most.N)
			if entry := o.entryOf(most.TID); entry != "" {
				f.Evidence["function"] = entry
				f.Message += " of " + goroutineOf(entry)
			}
		}
		if o.rate(c.Interrupted) >= callsWarn {
			f.Severity = warn
		}
		fs = append(fs, f)
	}
	return fs
}

// entryOf returns the function of the goroutine that a thread is locked to, or else runs at the
// window's end; "" = not known.
func (o *observed) entryOf(tid int32) string {
	i := slices.IndexFunc(o.Threads, func(t correlate.Thread) bool { return t.TID == tid })
	if i >= 0 && o.Threads[i].Lock.Entry != "" {
		return o.Threads[i].Lock.Entry
	}
	return o.Goroutines[tid].Entry
}

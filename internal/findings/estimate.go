package findings

import (
	"fmt"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// What pinning costs is the difference to the same program without pins, which does not run. These
// estimates add up the turns and the parts of turns that the other program would not have.
// docs/measurements/pinning.md compares them with programs that were run both ways.

const (
	// partsPerHandoff: a hand-off has a waker and a woken thread. After the wake-up the waker goes
	// to sleep (runtime.stopm); that part is measured. The woken one returns from its sleep, and at
	// the end wakes another thread and goes to sleep, too: it takes as long once more.
	partsPerHandoff = 2
	// workFrom: a relay that takes more than so many waker's parts does work of the program.
	workFrom = 3
	// leastOfEstimate and mostOfEstimate are how far the true cost was from the estimate, in the
	// programs of docs/measurements/pinning.md.
	leastOfEstimate, mostOfEstimate = 0.7, 1.5
	// refillOfWork is the part of its time that work can lose to cold caches, because it goes on on
	// another CPU after each hand-off: 14 to 22 % there, for two MB. It is no part of the estimate: how
	// much memory the work needs is not known.
	refillOfWork = 0.25
)

// handoffCost estimates the CPU time of the hand-offs to goroutines of one function.
func (o *observed) handoffCost(h *correlate.EntryHandoff) *Cost {
	bound := float64(h.CPUNS) / float64(o.ns)
	part, known := o.cpu("X-handoff", "cpu", "")
	if !known {
		part = float64(h.CPUNS) / float64(h.N)
	}
	n, relays := float64(h.N), float64(h.Relays.N())
	relayed, refill := h.Relays.SumUpTo(workFrom*part), 0.0
	if relays > 0 && float64(h.Relays.Quantile(0.5)) > workFrom*part { // most do work
		relayed, refill = part*relays, refillOfWork*h.Relays.Mean()*relays
	}
	ns := partsPerHandoff*part*n + relayed + (n+relays)*o.unseenPerSwitch()
	c := o.newCost(ns, bound, "the wakers' time, the same for the threads that they wake, and the turns of "+
		"threads that were woken to take the P of a pinned one that waits; what caches lose is only in the upper end")
	c.Most = rounded(c.Most + refill/float64(o.ns))
	return c
}

// unseenPerSwitch is what the kernel charges for a switch before it is seen, ns: its own account less
// the time between switches.
func (o *observed) unseenPerSwitch() float64 {
	if o.CPU == nil || o.Counts.Switches == 0 {
		return 0
	}
	return max(0, float64(o.CPU.Nanoseconds()-o.Counts.Run)/float64(o.Counts.Switches))
}

// newCost makes a cost of CPU time in ns in the window; bound is the part of a CPU that it has taken at
// least.
func (o *observed) newCost(ns, bound float64, how string) *Cost {
	cpu := max(ns/float64(o.ns), bound)
	return &Cost{CPU: rounded(cpu), Least: rounded(max(bound, leastOfEstimate*cpu)), Most: rounded(mostOfEstimate * cpu),
		How: how}
}

// words writes a cost in a sentence.
func (c *Cost) words() string {
	if unit.ShortPercent(c.Least) == unit.ShortPercent(c.Most) {
		return unit.ShortPercent(c.CPU) + " of one CPU"
	}
	return fmt.Sprintf("about %s of one CPU (%s to %s)", unit.ShortPercent(c.CPU), unit.ShortPercent(c.Least),
		unit.ShortPercent(c.Most))
}

package observe

import "time"

const (
	// pollEvery is how often the buffers are emptied; nothing wakes the loop in between. The fuller
	// they are found the sooner they are emptied again, down to pollLeast.
	pollEvery = 20 * time.Millisecond
	pollLeast = time.Millisecond
	// pollCalm replaces pollEvery while little happens, and pollSums where the kernel adds turns up
	// as well: an idle observer spends most of its time on waking up.
	pollCalm = 100 * time.Millisecond
	pollSums = 400 * time.Millisecond
)

// longestWait is how long the buffers may stay unread while little happens. The records that a CPU
// can send in that time fit into its ring.
func longestWait(turnsPerCPU int, aggregate bool) time.Duration {
	most, fastest := pollCalm, 200_000 // turns a second that a CPU can send
	if aggregate {                     // only turns of threads that begin or end, or are preempted
		most, fastest = pollSums, 40_000
	}
	return max(pollEvery, min(most, time.Duration(turnsPerCPU)*time.Second/time.Duration(fastest)))
}

// longestWithQuota is that of a target with a quota of CPU time: the CPUs that it closes are listed at
// each poll, and a period of such a quota usually has 100 ms.
const longestWithQuota = pollEvery

// nextPoll is the wait after a wait at whose end the buffers were filled to fill (0 to 1) and held
// n events: the time in which they fill to an eighth. It is at most most, at most twice the last
// wait, and above pollEvery only for a few events.
func nextPoll(wait, most time.Duration, fill float64, n uint64) time.Duration {
	const aim, few = 1. / 8, 1000
	most = max(pollEvery, min(most, 2*wait, few*wait/time.Duration(max(1, n))))
	if fill*float64(most) <= aim*float64(wait) {
		return most
	}
	return max(pollLeast, time.Duration(float64(wait)*aim/fill))
}

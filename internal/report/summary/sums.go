package summary

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/report"
)

// sums are what is added over processes, of one or of many.
type sums struct {
	report.Sums
	threads peak // living at one time, in one process
	costs   costs
}

// peak is the most threads that one process had at a time.
type peak struct {
	n     uint64
	lower bool // there may have been more: some threads are not listed
	of    report.ProcessID
}

func newSums(res *correlate.Result) sums {
	c := &res.Counts
	s := sums{Sums: report.Sums{
		ThreadsCreated: c.ThreadsCreated, ThreadsExited: c.ThreadsExited, ThreadsKilled: c.ThreadsKilled,
		ThreadsExitedLocked: c.ThreadsExitedLocked, SigurgSent: c.SigurgSent, SigurgGenerated: c.SigurgGenerated,
		SigurgCoalesced: c.SigurgCoalesced, SigurgDelivered: c.SigurgDelivered, SigurgForeign: c.SigurgForeign,
		SigurgNotInjected: c.SigurgNotInjected, Switches: c.Switches, Migrations: c.Migrations,
		RunNS: uint64(max(c.Run, 0)),
	}, costs: newCosts(res.Costs)}
	for i := range res.Threads {
		s.RunqNS += uint64(max(res.Threads[i].Runq, 0))
	}
	if c.LockedThreads != nil { // else no hand-off is known as one
		var n uint64
		for i := range res.Handoffs {
			n += res.Handoffs[i].N
		}
		s.Handoffs = &n
	}
	s.ThreadCostNS = threadCost(res)
	s.Unknown = map[string]uint64{}
	for key, v := range s.partly() {
		if *v == nil {
			s.Unknown[key] = 1
		}
	}
	s.threads.n, s.threads.lower = most(res)
	return s
}

// partly are the sums that some processes do not have.
func (s *sums) partly() map[string]**uint64 {
	return map[string]**uint64{"threads_exited_locked": &s.ThreadsExitedLocked, "sigurg_sent": &s.SigurgSent,
		"sigurg_not_injected": &s.SigurgNotInjected, "handoffs": &s.Handoffs, "thread_cost_ns": &s.ThreadCostNS}
}

// add adds another's sums. It keeps no pointer of it.
func (s *sums) add(o *sums) {
	s.ThreadsCreated += o.ThreadsCreated
	s.ThreadsExited += o.ThreadsExited
	s.ThreadsKilled += o.ThreadsKilled
	s.SigurgGenerated += o.SigurgGenerated
	s.SigurgCoalesced += o.SigurgCoalesced
	s.SigurgDelivered += o.SigurgDelivered
	s.SigurgForeign += o.SigurgForeign
	s.Switches += o.Switches
	s.Migrations += o.Migrations
	s.RunNS += o.RunNS
	s.RunqNS += o.RunqNS
	theirs := o.partly()
	for key, sum := range s.partly() {
		if v := *theirs[key]; v != nil && *sum == nil {
			*sum = new(*v)
		} else if v != nil {
			**sum += *v
		}
	}
	if s.Unknown == nil {
		s.Unknown = map[string]uint64{}
	}
	for key, n := range o.Unknown {
		s.Unknown[key] += n
	}
	if s.threads.less(&o.threads) {
		s.threads = o.threads
	}
	s.costs.add(o.costs)
}

// less orders peaks by number; of equal ones that of the first process counts.
func (p *peak) less(o *peak) bool {
	return cmp.Or(cmp.Compare(p.n, o.n), compareIDs(o.of, p.of)) < 0
}

// most returns how many of the threads lived at one time, at most. lower: there may have been more, as some that
// ended are not listed.
func most(res *correlate.Result) (n uint64, lower bool) {
	changes := map[events.Time]int64{}
	living := int64(res.Sleepers.N)
	for i := range res.Threads {
		t := &res.Threads[i]
		if t.StartedAt == 0 {
			living++
		} else {
			changes[t.StartedAt]++
		}
		if t.ExitedAt != 0 {
			changes[t.ExitedAt]--
		}
	}
	peak := living
	for _, at := range slices.Sorted(maps.Keys(changes)) {
		living += changes[at]
		peak = max(peak, living)
	}
	return max(uint64(peak), res.Counts.Threads), res.ThreadsOmitted > 0
}

// threadCost is the CPU time in which the process's threads were created and ended: in clone, from the
// first run until a thread is ready, in mexit and in exit. Time off the CPU is left out as far as it is
// known. Nil where no system call was watched.
func threadCost(res *correlate.Result) *uint64 {
	total, known := 0.0, false
	for i := range res.Costs {
		c := &res.Costs[i]
		if c.Population != (correlate.Population{}) || !slices.Contains(threadPhases, c.ID+" "+c.Phase) {
			continue
		}
		mean := c.Hist.Mean()
		if c.OffCPU != nil {
			mean = max(0, mean-*c.OffCPU)
		}
		total, known = total+mean*float64(c.Hist.N()), true
	}
	if !known {
		return nil
	}
	ns := uint64(total)
	return &ns
}

// threadPhases are the phases of creating and ending a thread that are one thread's own time. They do
// not overlap.
var threadPhases = []string{"P-8 clone_syscall", "P-8 start", "P-9 runtime", "P-9 exit"}

package testenv

import (
	"errors"
	"io/fs"
	"maps"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// Quiet waits until every thread of the process sleeps and none has been switched for a while: a Go
// process needs a moment until its last threads sleep. On a busy machine a thread that is ready
// waits for long without a switch, so the count of switches alone is no sign of rest. A recording
// that begins or ends then does so between two events. Quiet returns ContextSwitches of then.
func (p *Proc) Quiet() map[int32]uint64 {
	p.t.Helper()
	counts, _ := p.QuietAt()
	return counts
}

// QuietAt is Quiet, with a moment at which the counts were those. They need not stay so: a second
// after a garbage collection the runtime wakes its scavenger and sysmon.
func (p *Proc) QuietAt() (counts map[int32]uint64, at int64) {
	p.t.Helper()
	last, _ := p.switches()
	for deadline := time.Now().Add(client.Patience); time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		at = Now()
		now, asleep := p.switches()
		if asleep && maps.Equal(now, last) {
			return now, at
		}
		last = now
	}
	p.t.Fatal("the process does not come to rest")
	return nil, 0
}

// ContextSwitches is how often each thread was switched out, by the kernel's counters, which it
// increments where sched_switch is traced. A thread that ends meanwhile is not in it.
func (p *Proc) ContextSwitches() map[int32]uint64 {
	p.t.Helper()
	counts, _ := p.switches()
	return counts
}

// switches returns ContextSwitches, and whether no thread runs or waits for a CPU.
func (p *Proc) switches() (counts map[int32]uint64, asleep bool) {
	p.t.Helper()
	counts, asleep = map[int32]uint64{}, true
	for _, tid := range p.Threads() {
		status, err := procfs.Thread(p.PID, tid).Status()
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		} else if err != nil {
			p.t.Fatal(err)
		}
		counts[tid] = status.Switches
		asleep = asleep && status.State != 'R'
	}
	return counts, asleep
}

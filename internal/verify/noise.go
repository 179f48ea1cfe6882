package verify

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// noise measures how many CPUs other load keeps busy: all processes but pinwatch and its workloads.
type noise struct {
	at         time.Time
	busy, ours time.Duration
}

func startNoise() noise { return noise{at: time.Now(), busy: busyTime(), ours: ourTime()} }

// otherLoad returns the mean number of CPUs that other load has used since; 0 if it cannot be read.
func (n noise) otherLoad() float64 {
	elapsed := time.Since(n.at)
	busy := busyTime() - n.busy
	if elapsed <= 0 || busy <= 0 {
		return 0
	}
	return max(0, (busy-(ourTime()-n.ours)).Seconds()/elapsed.Seconds())
}

// busyTime is the time that all CPUs were not idle, with the time that a hypervisor took from them
// (steal): proc_stat(5).
func busyTime() time.Duration {
	m, err := procfs.ReadMachine()
	if err != nil {
		return 0
	}
	return m.Busy + m.Interrupts + m.Stolen
}

// ourTime is the CPU time of pinwatch and of the workloads that have ended.
func ourTime() (used time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var ru unix.Rusage
		if unix.Getrusage(who, &ru) == nil {
			used += time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
		}
	}
	return used
}

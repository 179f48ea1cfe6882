package program

import (
	"flag"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// spinners burns whole CPUs in loops without a call, which only SIGURG preempts (Go 1.14 and
// later), and forces garbage collections, which have to stop them.
func spinners(flags *flag.FlagSet) func(*Workload) error {
	n := flags.Int("n", 2, "locked spinners, 1 or more")
	gc := flags.Duration("gc", 20*time.Millisecond, "pause between two garbage collections, more than 0")
	return func(w *Workload) error {
		if *n < 1 || *gc <= 0 {
			return workload.Mistake("-n must be 1 or more and -gc more than 0")
		}
		for i := 0; i < *n; i++ {
			w.spinner(time.Hour, 0, nil)
		}
		w.Run(func() {
			for w.Pause(*gc) {
				w.collect()
			}
		})
		return nil
	}
}

// spinner sets up a locked goroutine that spins for busy, pauses for rest and starts again. A spin
// is one operation. Before each spin it sends on spinning, unless that is nil or full.
func (w *Workload) spinner(busy, rest time.Duration, spinning chan<- struct{}) *Pin {
	return w.Pin("spin", 1, func(p *Pin) {
		for w.Pause(rest) {
			select {
			case spinning <- struct{}{}:
			default:
			}
			for end := time.Now().Add(busy); !w.isOver() && time.Now().Before(end); {
				work.Spin(200000)
			}
			p.Ops++
			w.Op(1)
		}
	})
}

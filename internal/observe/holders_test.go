package observe

import (
	"os"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/holders"
)

// TestHolders: what holds the threads is read of those that live, once for all windows that end at
// one moment, and not for short intervals.
func TestHolders(t *testing.T) {
	const ended = 1 << 30 // above the kernel's limit of thread ids
	pid := os.Getpid()
	o := &observation{target: Target{PID: pid}, program: &Program{Info: &goruntime.Info{CGO: true}},
		loop: &loop{ms: []reading{
			{nsTID: int32(pid), err: goruntime.ErrForeign}, {nsTID: int32(pid), err: goruntime.ErrCheck},
			{nsTID: ended, m: goruntime.M{G: 8, Lock: goruntime.LockUser}}, {nsTID: ended, err: goruntime.ErrForeign},
		}}}
	whole := &correlate.Result{End: events.Time(time.Second)}
	held := o.holders(whole).list
	if len(held) != 2 || held[0].Use != holders.Foreign || held[0].Lock != goruntime.LockNone ||
		held[1].Use != holders.Unknown || held[1].Lock != goruntime.LockUnknown {
		t.Errorf("got %+v", held)
	}
	last := &correlate.Result{Interval: true, Start: -events.Time(holdersWindow), End: whole.End}
	o.loop.ms = o.loop.ms[:1]
	if again := o.holders(last).list; len(again) != len(held) {
		t.Errorf("the last interval has %d, the whole %d: read twice", len(again), len(held))
	}
	if last.Start = 0; o.holders(last).list != nil {
		t.Error("they were read after a short interval")
	}
	if whole.End++; len(o.holders(whole).list) != 1 {
		t.Error("those of another moment were taken")
	}
	if o.loop.ms = nil; o.holders(whole).list != nil {
		t.Error("holders of a program that can't be read")
	}
}

package loader

import (
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// What programs that began before AwaitRuns have to write is written when it returns, though they
// take a millisecond from their stamp to the record.
func TestAwaitRuns(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong", "-pairs", "2")
	s := attachTo(t, p.PID, Config{Slow: Slow{Programs: []string{"sched_switch_out"}, Reads: 30_000}})
	switches := 0
	for range 20 {
		before := events.Time(testenv.Now())
		s.AwaitRuns()
		drain(t, s)
		time.Sleep(10 * time.Millisecond) // for records that come late
		for _, e := range drain(t, s) {
			if e.Kind != events.Switch {
				continue
			}
			switches++
			if e.Time < before {
				t.Fatalf("a record of %v before the call came after it", before.Sub(e.Time))
			}
		}
	}
	if switches == 0 {
		t.Error("the workload does nothing")
	}
}

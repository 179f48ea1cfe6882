package truth

import (
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// A CPU that goes and comes back takes no thread along, and no time. One that was away at the
// attach has no buffer of its own for turns: it sends them by the one that all CPUs share.
func TestCPUGoesAndComes(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.CPUHotplug)
	for name, awayAtAttach := range map[string]bool{"while observed": false, "before the attach": true} {
		t.Run(name, func(t *testing.T) {
			p := testenv.Workload(t, "churn", "-rate", "1000", "-hold")
			p.Quiet()
			before := len(p.Threads())
			if awayAtAttach {
				testenv.SetSecondCPU(t, false)
			}
			observed := observeProcess(t, p.PID, observe.Config{})
			p.Go()
			for range 3 {
				testenv.SetSecondCPU(t, awayAtAttach)
				time.Sleep(300 * time.Millisecond)
				testenv.SetSecondCPU(t, !awayAtAttach)
				time.Sleep(300 * time.Millisecond)
			}
			testenv.SetSecondCPU(t, true)
			time.Sleep(300 * time.Millisecond)
			r := endAccounted(t, p, before, observed)
			if r.Loss.Total != 0 {
				t.Errorf("lost: %v", r.Loss.ByKind)
			}
			for _, w := range r.Warnings {
				if strings.Contains(w, "defect") { // times that do not sum to the window
					t.Error(w)
				}
			}
		})
	}
}

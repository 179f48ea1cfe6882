package testenv

import (
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

func TestWorkload(t *testing.T) {
	p := Workload(t, "pingpong", "-hold")
	if tids := p.Threads(); !slices.Contains(tids, int32(p.PID)) {
		t.Errorf("threads %v of process %d", tids, p.PID)
	}
	p.Go()
	a := p.Quiesce()
	if a.PID != p.PID || a.Start == 0 || a.End <= a.Start || a.End > Now() || len(a.Pins) != 2 {
		t.Errorf("account %+v", a)
	}
	for _, pin := range a.Pins {
		if stat, err := procfs.Thread(p.PID, int32(pin.TID)).Stat(); err != nil || stat.CPU < 0 || stat.CPU >= 8192 {
			t.Errorf("thread %d ran last on CPU %d, %v", pin.TID, stat.CPU, err)
		}
	}
	if last := p.Stop(); last.Ops != a.Ops || last.End != a.End {
		t.Errorf("%+v at rest, %+v at the end", a, last)
	}
	if _, err := procfs.Process(p.PID).Threads(); err == nil {
		t.Error("the process lives after Stop")
	}
}

func TestWorkloadThatFails(t *testing.T) {
	r := Record(func(t testing.TB) { Workload(t, "churn", "-rate", "none") })
	if !strings.Contains(r.FatalText, "invalid value") {
		t.Errorf("%+v", r)
	}
}

func TestWorkloadNeedsMain(t *testing.T) {
	session.running = false
	defer func() { session.running = true }()
	t.Setenv("PINWATCH_WORKLOAD", "")
	if r := Record(func(t testing.TB) { Workload(t, "idle") }); !strings.Contains(r.FatalText, "testenv.Main") {
		t.Errorf("%+v", r)
	}
}

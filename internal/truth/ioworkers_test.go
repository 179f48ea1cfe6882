package truth

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestIOWorkers: the threads that the kernel makes for io_uring have a role of their own. They are
// listed with their time, and are in no count or cost of Ms. /proc is the witness.
func TestIOWorkers(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.IOUring)
	configs := testenv.Cases([]observe.Config{{}, {Light: true}, {Aggregate: true}},
		[]observe.Config{{Light: true, Aggregate: true}})
	for _, cfg := range configs {
		t.Run(fmt.Sprintf("light=%t aggregate=%t", cfg.Light, cfg.Aggregate), func(t *testing.T) {
			untilWithout(t, "records were lost, every time", func() []string {
				user := testenv.StartIOUser(t)
				old, _ := testenv.IOWorkers(user.PID)
				observed := observeProcess(t, user.PID, cfg)
				user.More()
				workers, others := testenv.IOWorkers(user.PID)
				if len(old) != 1 || len(workers) != 3 {
					t.Fatalf("%d and %d workers", len(old), len(workers))
				}
				user.End()
				r := observed.report()
				if problems := lossProblems(r.Loss); problems != nil {
					return problems
				}
				checkIOWorkers(t, &r, old, workers, others)
				return nil
			})
		})
	}
}

func checkIOWorkers(t *testing.T, r *report.Report, old, workers, others []int32) {
	t.Helper()
	var seen []int32
	var began, ended uint64
	for _, th := range r.Threads {
		if slices.Contains(others, th.TID) && th.Role == "io_worker" {
			t.Errorf("no worker by /proc: %s", threadRow(th))
		}
		if th.Role != "io_worker" {
			if th.StartNS != nil {
				began++
			}
			if th.ExitNS != nil {
				ended++
			}
			continue
		}
		seen = append(seen, th.TID)
		isOld := slices.Contains(old, th.TID)
		if th.Lock != "none" || th.M != nil || th.Cause != nil || (th.StartNS == nil) != isOld || th.ExitNS == nil {
			t.Errorf("worker: %s", threadRow(th))
		}
		if th.RunNS == 0 || th.Switches == 0 {
			t.Errorf("worker without time: %s", threadRow(th))
		}
	}
	for _, tid := range workers {
		if !slices.Contains(seen, tid) {
			t.Errorf("worker %d is not listed as one", tid)
		}
	}
	c := r.Counts
	if c.ThreadsCreated != began || c.ThreadsExited+c.ThreadsKilled != ended {
		t.Errorf("%d threads began and %d ended without the workers, counted %+v", began, ended, c)
	}
	if knownShare(r.Locks) < 0.95 { // the last steps of an M may be unknown
		t.Errorf("locks %+v", r.Locks)
	}
}

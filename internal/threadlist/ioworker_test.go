package threadlist

import (
	"os"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// TestIOWorker: the threads of io_uring are listed as such, and lead to no second read.
func TestIOWorker(t *testing.T) {
	testenv.Require(t, testenv.IOUring)
	user := testenv.StartIOUser(t)
	user.More()
	f := &fakeMachines{}
	l := listerOf(f)
	l.PID = user.PID
	workers, others := testenv.IOWorkers(l.PID)
	for _, tid := range others {
		f.ms = append(f.ms, goruntime.M{TID: tid, Role: goruntime.RoleWorker, Lock: goruntime.LockNone, P: -1})
	}
	rows, warnings, err := l.List(t.Context())
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	if len(workers) != 3 || f.reads != 1 {
		t.Errorf("workers %v, %d reads", workers, f.reads)
	}
	for _, r := range rows {
		is := slices.Contains(workers, r.TID)
		if is && (r.Role != "io_worker" || r.Lock != "none" || r.M != nil) {
			t.Errorf("worker: %s", row(r))
		}
		if slices.Contains(others, r.TID) && r.Role != "worker" {
			t.Errorf("no worker: %s", row(r))
		}
	}
}

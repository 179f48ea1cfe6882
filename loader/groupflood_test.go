package loader

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

var noneLost [bpf.PinwatchEventKindKIND_COUNT]uint64

// A target that floods the buffers while they are not emptied loses its own records only, and each
// is counted: of its switches, and of signals that it is sent.
func TestFloodOfOneTarget(t *testing.T) {
	w := openGroup(t, GroupConfig{RingBytes: 2 << 20})
	flood := testenv.Workload(t, "pingpong", "-pairs", "2", "-hold")
	quiet := testenv.Workload(t, "churn", "-rate", "20", "-hold")
	flood.Quiet()
	threads := len(quiet.Quiet())
	f, q := w.add(flood.PID), w.add(quiet.PID)
	w.drain()
	floodBefore, floodFrom := flood.QuietAt()
	quietBefore, quietFrom := quiet.QuietAt()
	flood.Go()
	lost := func(m *Member) uint64 {
		n, err := m.Lost()
		if err != nil {
			t.Fatal(err)
		}
		return n[events.SignalGenerate]
	}
	signals := 0
	for deadline := time.Now().Add(time.Minute); f.LostTurns() < 1000 || lost(f) < 100; {
		if err := unix.Tgkill(flood.PID, flood.PID, unix.SIGURG); err != nil {
			t.Fatal(err)
		}
		if signals++; time.Now().After(deadline) {
			t.Fatalf("%d turns and %d signals lost", f.LostTurns(), lost(f))
		}
	}
	quiet.Go()
	time.Sleep(time.Second)
	account := quiet.Quiesce()
	flood.Quiesce()
	floodAfter, floodTo := flood.QuietAt()
	quietAfter, quietTo := quiet.QuietAt()
	w.drain()
	if n, err := q.Lost(); err != nil || n != noneLost || q.LostTurns() > 0 {
		t.Errorf("quiet lost %v and %d turns (%v)", n, q.LostTurns(), err)
	}
	births, ends := w.count(q.Slot(), events.NewTask), w.count(q.Slot(), events.ProcessExit)
	if account.LockedExits == 0 || ends != int(account.LockedExits) || births != len(quiet.Threads())-threads+ends {
		t.Errorf("%d births and %d ends of quiet, want %d ends", births, ends, account.LockedExits)
	}
	// Threads that ended are in its account only.
	quietSeen := w.switchesBetween(q.Slot(), quietFrom, quietTo)
	for tid, n := range quietAfter {
		if seen := quietSeen[tid]; seen != n-quietBefore[tid] {
			t.Errorf("quiet's thread %d: %d switches received, the kernel counted %d", tid, seen, n-quietBefore[tid])
		}
	}
	counted := sum(floodAfter) - sum(floodBefore)
	if received := sum(w.switchesBetween(f.Slot(), floodFrom, floodTo)); received == 0 || received+f.LostTurns() != counted {
		t.Errorf("flood: %d switches received and %d lost, the kernel counted %d", received, f.LostTurns(), counted)
	}
	t.Logf("flood lost %d turns and %d of %d signals", f.LostTurns(), lost(f), signals)
}

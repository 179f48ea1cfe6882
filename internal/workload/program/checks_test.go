package program_test

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
)

const (
	packagePath = "github.com/pinwatch/pinwatch/internal/workload/program."
	maxDepth    = 5 // of the program depth
)

// activityBounds holds when the lines "go" and "quiesce" were sent, or the equivalent moments of a
// workload without -hold.
type activityBounds struct{ began, quiesced int64 }

// checkAccount checks what holds for every program at rest.
func checkAccount(t *testing.T, p *testenv.Proc, a workload.Account, w activityBounds) {
	t.Helper()
	if a.Name != p.Ready().Name || a.PID != p.PID || a.GoVersion != runtime.Version() || a.GoMaxProcs < 1 {
		t.Errorf("account of another process: %+v", a)
	}
	if a.Start <= w.began || a.End <= a.Start || a.End <= w.quiesced || a.End > testenv.Now() {
		t.Errorf("window [%d, %d): the activity was begun after %d and ended after %d", a.Start, a.End, w.began, w.quiesced)
	}
	tids, again := threads(p), a
	for i := 0; i < 10 && !slices.Equal(again.Threads, tids); i++ { // the runtime may have started one since
		again = p.Quiesce()
		tids = threads(p)
	}
	if !slices.Equal(again.Threads, tids) {
		t.Errorf("threads %v, the kernel has %v", again.Threads, tids)
	}
	goroutines := map[int64]bool{}
	for i, pin := range a.Pins {
		if !slices.Contains(a.Threads, pin.TID) || pin.Depth < 1 || pin.GoID <= 0 || goroutines[pin.GoID] {
			t.Errorf("pin %+v: no such thread, not locked or a goroutine met before", pin)
		}
		if !strings.HasPrefix(pin.Entry, packagePath+"(*Workload).") {
			t.Errorf("pin %+v: its goroutine began in %q", pin, pin.Entry)
		}
		if i > 0 && a.Pins[i-1].TID >= pin.TID {
			t.Errorf("pins are not in the order of their threads or share one: %+v", a.Pins)
		}
		goroutines[pin.GoID] = true
		// A wake-up that is faster than the sleep costs no switch, so some operations have none.
		if n := slept(t, p.PID, pin.TID); pin.Role != "spin" && n < pin.Ops/2 {
			t.Errorf("thread %d slept %d times in %d operations of role %s", pin.TID, n, pin.Ops, pin.Role)
		}
	}
	if uint64(len(a.LockedExitTIDs)) != min(a.LockedExits, workload.MaxKept) {
		t.Errorf("%d ids of %d threads that exited", len(a.LockedExitTIDs), a.LockedExits)
	}
	for _, tid := range a.LockedExitTIDs {
		if tid == a.PID || slices.Contains(a.Threads, tid) {
			t.Errorf("thread %d exited and lives", tid)
		}
	}
	if a.GCs < a.ForcedGC {
		t.Errorf("%d collections, %d of them forced", a.GCs, a.ForcedGC)
	}
}

// checkOps fails the test unless the account has n pins of the role, each with operations, and no
// other operation.
func checkOps(t *testing.T, a workload.Account, role string, n int) {
	t.Helper()
	var ops uint64
	for _, pin := range a.Pins {
		if pin.Role != role {
			continue
		}
		n--
		ops += pin.Ops
		if pin.Ops == 0 {
			t.Errorf("pin %+v did nothing", pin)
		}
	}
	if n != 0 || ops != a.Ops {
		t.Errorf("%d pins of role %s missing; theirs are %d of %d operations", n, role, ops, a.Ops)
	}
}

// checkPairs fails the test unless the account has pairs of pins with equal operations on both
// sides.
func checkPairs(t *testing.T, a workload.Account, pairs int) {
	t.Helper()
	var n, ops [2]uint64
	for _, pin := range a.Pins {
		if i := slices.Index([]string{"ping", "pong"}, pin.Role); i >= 0 {
			n[i]++
			ops[i] += pin.Ops
		}
	}
	if n != [2]uint64{uint64(pairs), uint64(pairs)} || ops[0] == 0 || ops[0] != ops[1] || ops[0]+ops[1] != a.Handoffs {
		t.Errorf("%v pins did %v round trips, %d hand-offs", n, ops, a.Handoffs)
	}
}

// roles lists the roles of all pins in the order of the alphabet.
func roles(a workload.Account) string {
	var list []string
	for _, p := range a.Pins {
		list = append(list, p.Role)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// checkSite fails the test unless one function called LockOSThread at least pins times, at a source
// line that has it.
func checkSite(t *testing.T, a workload.Account, function string, pins uint64) {
	t.Helper()
	if len(a.Sites) != 1 {
		t.Fatalf("sites %+v: want one", a.Sites)
	}
	s := a.Sites[0]
	if s.Function != packagePath+function || s.Pins < pins || pins == 0 {
		t.Errorf("site %+v: want %d calls by %s", s, pins, function)
	}
	source, err := os.ReadFile(s.File)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(source), "\n")
	if s.Line > len(lines) || !strings.HasPrefix(strings.TrimSpace(lines[s.Line-1]), "runtime.LockOSThread()") {
		t.Errorf("%s:%d does not lock", s.File, s.Line)
	}
}

// checkLocks fails the test unless there are n stretches, and no two of a thread or of a goroutine
// overlap.
func checkLocks(t *testing.T, a workload.Account, n uint64, deepest int) {
	t.Helper()
	if uint64(len(a.Locks)) != n || n == 0 {
		t.Errorf("%d stretches, want %d", len(a.Locks), n)
	}
	for i, l := range a.Locks {
		if l.From >= l.To || l.To > a.End || l.TID <= 0 || l.GoID <= 0 || l.Depth < 1 || l.Depth > deepest {
			t.Errorf("stretch %+v of an account until %d", l, a.End)
		}
		for _, o := range a.Locks[:i] {
			if (l.TID == o.TID || l.GoID == o.GoID) && l.From < o.To && o.From < l.To {
				t.Errorf("%+v and %+v overlap", l, o)
			}
		}
	}
}

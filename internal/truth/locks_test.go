package truth

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// minKnown is the least part of the reads of a lock that must pass the self-check, on a release
// that pinwatch has offsets of.
const minKnown = 0.99

// TestLocksAreTheWorkloads compares every thread's lock and role with the workload's account.
func TestLocksAreTheWorkloads(t *testing.T) {
	for _, args := range []string{
		"threads -n 200", "leak", "wedged", "wedged -alive", "pingpong -pairs 2", "churn", "blocked", "spinners",
		"matrix", "idle -notify",
	} {
		for _, entries := range []int{0, 1} {
			if entries != 0 && args != "matrix" {
				continue
			}
			t.Run(fmt.Sprintf("%s, %d entries", args, entries), func(t *testing.T) {
				t.Parallel()
				w := watch{workload: strings.Fields(args), config: observe.Config{ThreadEntries: entries},
					work: time.Second}.run(t)
				w.checkThreads(t)
				w.checkLocks(t)
			})
		}
	}
}

// checkLocks compares the last state of every thread with the account.
func (w *watched) checkLocks(t *testing.T) {
	t.Helper()
	r, a := &w.report, &w.account
	t.Logf("%d observations, %d unknown", r.Locks.Observations, r.Locks.Unknown)
	if k := knownShare(r.Locks); k < minKnown {
		t.Errorf("%.2f %% of %d lock observations are known", 100*k, r.Locks.Observations)
	}
	pins := map[int]workload.Pin{}
	for _, p := range a.Pins {
		pins[p.TID] = p
	}
	threads := w.alive()
	locked, ofRuntime := len(pins), 0
	for tid, th := range threads {
		if servesSignals(th) {
			ofRuntime++
		}
		if p, pinned := pins[tid]; pinned {
			checkPinned(t, th, p)
		} else {
			checkFree(t, th, a)
		}
	}
	c := r.Counts
	if c.LockedThreads == nil || c.LockedThreadsMax == nil || c.ThreadsExitedLocked == nil {
		t.Fatalf("counts not known: %+v", c)
	}
	if int(*c.LockedThreads) != locked || *c.ThreadsExitedLocked != a.LockedExits || c.ThreadsExited != a.LockedExits {
		t.Errorf("%d threads locked, want %d; %d of %d exits locked, want %d",
			*c.LockedThreads, locked, *c.ThreadsExitedLocked, c.ThreadsExited, a.LockedExits)
	}
	if a.Name == "idle" && (ofRuntime != 1 || !is(c.LockedByRuntime, 1)) {
		t.Errorf("%d threads serve os/signal, %s counted as the runtime's: want 1", ofRuntime, word(c.LockedByRuntime))
	}
	// A thread that is locked for a moment only, before it exits with its goroutine, counts as
	// well.
	most := int(*c.LockedThreadsMax)
	if brief := a.LockedExits > 0 || a.WedgedTID != 0; most < locked || !brief && most != locked {
		t.Errorf("%d threads were locked at one time, want %d", most, locked)
	}
	for _, th := range r.Threads {
		if th.ExitNS != nil && (th.Lock != "exiting" || !slices.Contains(a.LockedExitTIDs, int(th.TID))) {
			t.Errorf("ended with lock %s: %s", th.Lock, threadRow(th))
		}
	}
	checkRoles(t, threads, a)
}

// checkThreads compares the threads alive at the end with the kernel's.
func (w *watched) checkThreads(t *testing.T) {
	t.Helper()
	threads := w.alive()
	for _, tid := range w.threads {
		if _, ok := threads[int(tid)]; !ok {
			t.Errorf("not listed: thread %d", tid)
		}
	}
	if len(threads) != len(w.threads) {
		t.Errorf("%d threads alive, /proc has %d", len(threads), len(w.threads))
	}
}

func threadRow(th report.Thread) string {
	text := fmt.Sprintf("thread %d (m %s, %s): lock %s", th.TID, word(th.M), th.Role, th.Lock)
	return text + fmt.Sprintf(", ext %s, int %s, goid %s, entry %s", word(th.LockedExt), word(th.LockedInt),
		word(th.GoID), word(th.LockEntry))
}

func word[T any](v *T) string {
	if v == nil {
		return "?"
	}
	return fmt.Sprint(*v)
}

func is[T comparable](v *T, want T) bool { return v != nil && *v == want }

// checkPinned checks a thread that a goroutine has held since before the window began. The
// statement go f(x) starts a wrapper of f, which belongs to the function with the statement.
func checkPinned(t *testing.T, th report.Thread, p workload.Pin) {
	t.Helper()
	entered := is(th.LockEntry, p.Entry) || strings.Contains(word(th.LockEntry), ".gowrap")
	if th.Lock != "user" || !is(th.LockedExt, uint32(p.Depth)) || !is(th.LockedInt, 0) ||
		!is(th.GoID, uint64(p.GoID)) || !entered {
		t.Errorf("%s, want %+v", threadRow(th), p)
	}
	if th.LockHeldMin == nil || *th.LockHeldMin <= 0 || th.LockHeldMax != nil {
		t.Errorf("%s: held for %s s at least and %s at most, though it was locked before its first read",
			threadRow(th), word(th.LockHeldMin), word(th.LockHeldMax))
	}
	if th.StartNS == nil && !is(th.LockHolds, 0) {
		t.Errorf("%s: %s locks began in the window", threadRow(th), word(th.LockHolds))
	}
}

// checkFree checks a thread to which the program has locked no goroutine. The runtime may have: to
// a thread lent to C, and to that of its goroutine for os/signal.
func checkFree(t *testing.T, th report.Thread, a *workload.Account) {
	t.Helper()
	switch {
	case int(th.TID) == a.WedgedTID:
		if th.Lock != "wedged" || th.GoID != nil {
			t.Errorf("wedged: %s", threadRow(th))
		}
	case slices.Contains(a.Extra, int(th.TID)):
		if th.Lock != "runtime" && th.Lock != "none" || !is(th.LockedExt, 0) {
			t.Errorf("lent to C: %s", threadRow(th))
		}
	case servesSignals(th):
		if a.Name != "idle" { // the one that listens
			t.Errorf("serves os/signal: %s", threadRow(th))
		}
	case th.Lock != "none" || !is(th.LockedExt, 0) || !is(th.LockedInt, 0) || th.GoID != nil:
		t.Errorf("not locked: %s", threadRow(th))
	}
}

func servesSignals(th report.Thread) bool {
	return th.Lock == "runtime" && th.LockEntry != nil && strings.HasPrefix(*th.LockEntry, "runtime.ensureSigM")
}

// checkRoles checks that each thread has a role that it can have. Only the runtime knows which
// threads are sysmon's and the template thread.
func checkRoles(t *testing.T, threads map[int]report.Thread, a *workload.Account) {
	t.Helper()
	roles := map[string]int{}
	for tid, th := range threads {
		roles[th.Role]++
		ok := th.Role == "worker" || th.Role == "sysmon" || th.Role == "template"
		switch {
		case tid == a.PID:
			ok = th.Role == "main"
		case slices.Contains(a.Foreign, tid):
			ok = th.Role == "foreign"
		case slices.Contains(a.Extra, tid):
			ok = th.Role == "cgo_extra"
		}
		if !ok || th.Role == "foreign" != (th.M == nil) {
			t.Errorf("impossible role: %s", threadRow(th))
		}
	}
	if roles["sysmon"] != 1 || roles["template"] != 1 {
		t.Errorf("roles %v", roles)
	}
}

// TestLocksBesideC distinguishes threads of C code from the runtime's, and from those with a
// borrowed M.
func TestLocksBesideC(t *testing.T) {
	w := watch{workload: strings.Fields("cgo -foreign 2 -extra 2 -pins 2"), start: testenv.CgoWorkload,
		work: time.Second}.run(t)
	if a := w.account; len(a.Foreign) != 2 || len(a.Extra) != 2 || len(a.Pins) != 2 {
		t.Fatalf("account %+v", a)
	}
	w.checkLocks(t)
}

// TestLocksInNamespace observes a process in another PID namespace, where threads have other
// numbers.
func TestLocksInNamespace(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	// builds the program now: the namespace ends with its first process
	testenv.Workload(t, "idle")
	runtime.LockOSThread() // never unlocked: from now on the thread's children, and no others, are in the namespace
	if err := unix.Unshare(unix.CLONE_NEWPID); err != nil {
		t.Fatal(err)
	}
	w := watch{workload: strings.Fields("pingpong -pairs 2"), work: time.Second}.run(t)
	if w.account.PID != 1 {
		t.Fatalf("the workload is process %d of its namespace", w.account.PID)
	}
	w.checkThreads(t)
	for i := range w.report.Threads {
		th := &w.report.Threads[i]
		status, err := procfs.Thread(w.proc.PID, th.TID).Status()
		if err != nil {
			t.Fatal(err)
		}
		th.TID = status.NSTID()
	}
	w.checkLocks(t)
}

// TestLockDepths observes depths that change.
func TestLockDepths(t *testing.T) {
	const pause = 50 * time.Millisecond // ten times as long as each goroutine sleeps at most
	w := watch{workload: []string{"depth"}, work: pause, act: func(p *testenv.Proc) {
		for range 7 {
			p.Step()
			time.Sleep(pause)
		}
	}}.run(t)
	w.checkLocks(t)
	for tid, th := range alive(&w.report) {
		seen, deepest := 0, 0 // of stretches in which the goroutine slept, and of all
		for _, l := range w.account.Locks {
			if l.TID != tid {
				continue
			}
			deepest = max(deepest, l.Depth)
			if l.To-l.From > int64(pause)/2 {
				seen = max(seen, l.Depth)
			}
		}
		if th.LockDepthMax == nil || int(*th.LockDepthMax) < seen || int(*th.LockDepthMax) > deepest {
			t.Errorf("thread %d: locked %s deep at most, want %d to %d", tid, word(th.LockDepthMax), seen, deepest)
		}
	}
}

// TestLocksThatPass observes threads to which one goroutine after the other is locked. Every lock
// is counted, none is invented, and the bounds of how long each is held contain the truth.
func TestLocksThatPass(t *testing.T) {
	w := watch{workload: []string{"dance"}, config: observe.Config{Interval: observe.MinInterval},
		work: 1500 * time.Millisecond}.run(t)
	holds, want := map[int]uint64{}, map[int]uint64{}
	held := 0
	for i := range w.intervals {
		r := &w.intervals[i]
		if k := knownShare(r.Locks); r.Locks.Observations > 100 && k < minKnown {
			t.Errorf("%.2f %% of %d lock observations are known", 100*k, r.Locks.Observations)
		}
		for _, th := range r.Threads {
			holds[int(th.TID)] += *th.LockHolds
			if th.Lock == "user" {
				held++
				checkHold(t, th, r.Window, w.account.Locks)
			} else if th.Lock != "none" {
				t.Error(threadRow(th))
			}
		}
	}
	for _, l := range w.account.Locks {
		want[l.TID]++
	}
	// Each goroutine sleeps while it is locked, so each lock is seen.
	for tid := range holds {
		if holds[tid] != want[tid] {
			t.Errorf("thread %d: %d locks, %d in the account", tid, holds[tid], want[tid])
		}
	}
	t.Logf("%d locks, %d of them held at an interval's end", len(w.account.Locks), held)
	if held == 0 || len(w.account.Locks) == 0 {
		t.Error("nothing was compared")
	}
}

// checkHold compares a thread's lock at the end of a window with the account of all locks. The
// exact begin and end of one have no stamp; they lie after the end of the lock before it on that
// thread, and before the begin of the next.
func checkHold(t *testing.T, th report.Thread, w report.Window, locks []workload.Lock) {
	t.Helper()
	const exact = 1e-6 // seconds; as numbers with a point are
	for _, l := range locks {
		if l.TID != int(th.TID) || !is(th.GoID, uint64(l.GoID)) {
			continue
		}
		before, next := int64(0), w.EndNS
		for _, other := range locks {
			if other.TID == l.TID && other.To < l.From {
				before = max(before, other.To)
			}
			if other.TID == l.TID && other.From > l.To {
				next = min(next, other.From)
			}
		}
		switch least, most := *th.LockHeldMin, th.LockHeldMax; {
		case *th.LockedExt < 1 || int(*th.LockedExt) > l.Depth:
			t.Errorf("%s, want %+v", threadRow(th), l)
		case least > float64(next-before)/1e9+exact:
			t.Errorf("%s: held for %g s at least, but between %d and %d", threadRow(th), least, before, next)
		case most == nil || l.From <= w.EndNS && *most < float64(w.EndNS-l.From)/1e9-exact:
			t.Errorf("%s: at %d held for %s s at most, want %+v", threadRow(th), w.EndNS, word(most), l)
		}
		return
	}
	t.Errorf("not in the account: %s", threadRow(th))
}

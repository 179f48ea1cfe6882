package correlate

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/events"
)

// TestMemoryDoesNotGrow: ten million events of threads that switch, begin with ever new ids and
// end, and send each other signals, through the reorder window, cut into intervals, leave less than
// 64 MiB, and no more than the first million did. It runs in a process of its own, since other
// tests leave garbage behind.
func TestMemoryDoesNotGrow(t *testing.T) { inProcessOfItsOwn(t, streamWithinMemory) }

// TestMemoryOfManyThreads: of a process with 100,000 threads that sleep less than 48 MiB are kept,
// with its Result.
func TestMemoryOfManyThreads(t *testing.T) {
	inProcessOfItsOwn(t, func(t *testing.T) { crowdWithinMemory(t, 0) })
}

// TestMemoryOfManyEnds is the same for a process that ends unseen.
func TestMemoryOfManyEnds(t *testing.T) {
	inProcessOfItsOwn(t, func(t *testing.T) { crowdWithinMemory(t, events.WindowTargetEnded) })
}

// inProcessOfItsOwn runs a test in a process in which it is the only one.
func inProcessOfItsOwn(t *testing.T, test func(t *testing.T)) {
	const child = "PINWATCH_TEST_MEMORY"
	if os.Getenv(child) != "" {
		test(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) || !strings.Contains(string(out), "MiB used") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func crowdWithinMemory(t *testing.T, ends uint8) {
	const threads = 100_000
	c, now := New(Config{TGID: firstTID, Locks: true}), events.Time(1e9)
	var results []*Result
	add := func(e events.Event) {
		now += 1000
		e.Time = now
		results = append(results, c.Add(&e)...)
	}
	list := func() {
		for i := range uint32(threads) {
			tid := firstTID + i
			add(events.Event{Kind: events.Thread, TID: tid, Args: [8]uint64{
				events.ArgNSTID: uint64(tid), events.ArgComm: 0x726574756f63}}) // all have the same name
			add(events.Event{Kind: events.ThreadM, TID: tid, Args: [8]uint64{events.ArgMID: uint64(i), events.ArgMRead: 1}})
			add(events.Event{Kind: events.Lock, Flags: events.LockNone, TID: tid, Args: [8]uint64{events.ArgRead: 1}})
		}
	}
	list()
	add(events.Event{Kind: events.WindowStart})
	add(events.Event{Kind: events.WindowEnd, Flags: ends})
	if ends == 0 {
		list()
	}
	add(events.Event{Kind: events.WindowSettled})
	used, kept := rssAnon(t), keptMemory(t)
	if kept > raceFactor()*48<<20 {
		t.Errorf("%d MiB kept", kept>>20)
	}
	r := results[0]
	if n := uint64(len(r.Threads)) + r.Sleepers.N + r.ThreadsOmitted; n != threads || r.Sleepers.Workers != r.Sleepers.N ||
		(r.Counts.Threads != threads) != (ends != 0) {
		t.Errorf("%d threads listed, %d omitted, %+v; %+v", len(r.Threads), r.ThreadsOmitted, r.Sleepers, r.Counts)
	}
	t.Logf("%d MiB used; kept: %d MiB", used>>20, kept>>20)
	runtime.KeepAlive(c)
}

func streamWithinMemory(t *testing.T) {
	const total = 10_000_000
	allowed, growth := raceFactor()*64<<20, raceFactor()*8<<20
	s := newStream()
	for s.sent < total/10 {
		s.step()
	}
	early := keptMemory(t)
	for s.sent < total {
		s.step()
	}
	used := rssAnon(t)
	late := keptMemory(t)
	s.finish()
	if used > allowed || late > early+growth {
		t.Errorf("%d MiB used at the end; kept: %d MiB after %d events, %d MiB at the end", used>>20, early>>20,
			total/10, late>>20)
	}
	r := s.whole
	if r == nil || s.invalid != nil {
		t.Fatalf("whole observation: %v, invalid: %v", r != nil, s.invalid)
	}
	c := r.Counts
	if c.ThreadsCreated != s.born || c.ThreadsExited != s.born ||
		c.Switches != s.switches || c.SigurgDelivered != s.signals {
		t.Errorf("%+v, want %d threads born and dead, %d switches, %d signals", c, s.born, s.switches, s.signals)
	}
	if len(r.Threads) > 4*maxEndedThreads+lasting+1 || r.ThreadsOmitted == 0 || s.intervals < 10 {
		t.Errorf("%d threads listed and %d not, %d intervals", len(r.Threads), r.ThreadsOmitted, s.intervals)
	}
	t.Logf("%d MiB used; kept: %d MiB after %d events, %d MiB at the end; %d threads came and went", used>>20, early>>20,
		total/10, late>>20, s.born)
}

// keptMemory is the memory that remains after a collection. Between two collections a process uses
// more, by what depends on when the last one was.
func keptMemory(t *testing.T) uint64 {
	t.Helper()
	debug.FreeOSMemory()
	return rssAnon(t)
}

// raceFactor is 1 without the race detector, which keeps up to five times the program's memory
// beside it.
func raceFactor() uint64 {
	info, ok := debug.ReadBuildInfo()
	if ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 1 + 5
	}
	return 1
}

// rssAnon returns this process's anonymous memory in bytes, after a collection. It holds the memory
// that is free, but not returned to the kernel.
func rssAnon(t testing.TB) uint64 {
	t.Helper()
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	kib, err := strconv.ParseUint(strings.Fields(rest + " 0")[0], 10, 64)
	if err != nil || kib == 0 {
		t.Fatalf("RssAnon: %d, %v", kib, err)
	}
	return kib << 10
}

// lasting is how many threads live all the time, besides the target's first.
const lasting = 300

// stream makes the events of a busy process and correlates them.
type stream struct {
	order      events.Reorder
	correlator *Correlator
	now        events.Time
	left       [lasting + 1]events.Time // when each lasting thread left its CPU
	turnOf     uint32
	nextTID    uint32
	nextCut    events.Time
	sent       int
	born       uint64
	switches   uint64
	signals    uint64
	intervals  int
	whole      *Result
	invalid    error
}

const (
	firstTID = 100 // the target; the lasting threads follow it
	cutEvery = events.Time(1e9)
)

func newStream() *stream {
	c := New(Config{TGID: firstTID, AsyncPreempt: 4096, Locks: true})
	s := &stream{correlator: c, now: 1e9, nextTID: firstTID + lasting + 1}
	for i := range s.left {
		s.left[i] = s.now
	}
	s.snapshot()
	for i := range s.left {
		s.push(&events.Event{Kind: events.Lock, TID: firstTID + uint32(i), Flags: lockOf(uint32(i)),
			Args: [8]uint64{uint64(i), 4000 + uint64(i%7), 1}})
	}
	s.push(&events.Event{Kind: events.WindowStart, Flags: events.WindowIntervals})
	s.nextCut = s.now + cutEvery
	return s
}

// push sends an event, a microsecond after the one before.
func (s *stream) push(e *events.Event) {
	s.now += 1000
	e.Time = s.now
	s.order.Push(e)
	s.sent++
}

// snapshot sends a snapshot: every lasting thread has slept since its last turn.
func (s *stream) snapshot() {
	for i, left := range s.left {
		tid := uint32(firstTID + i)
		s.push(&events.Event{Kind: events.Thread, TID: tid,
			Args: [8]uint64{events.ArgOff: uint64(left), events.ArgNSTID: uint64(tid)}})
	}
}

// step sends turns of ten lasting threads, of which one preempts the next, and the life of a new
// one.
func (s *stream) step() {
	for range 10 {
		s.turnOf = (s.turnOf + 1) % uint32(len(s.left))
		s.turn(s.turnOf)
	}
	s.preempt(firstTID+s.turnOf, firstTID+(s.turnOf+1)%uint32(len(s.left)))
	s.life(firstTID + s.turnOf)
	if s.now >= s.nextCut {
		s.nextCut += cutEvery
		s.push(&events.Event{Kind: events.WindowCut})
		s.snapshot()
		s.push(&events.Event{Kind: events.WindowSettled})
	}
	s.release(s.now - 30e6)
}

// lockOf returns the lock of a lasting thread: every second one is the user's.
func lockOf(i uint32) uint8 {
	if i%2 == 0 {
		return events.LockUser
	}
	return events.LockNone
}

// turn sends the turn of a lasting thread: woken by the one that ran before, it waits for 2 µs and
// runs for 1. If it is locked, it has waited for its goroutine.
func (s *stream) turn(i uint32) {
	out := s.left[i]
	before := firstTID + (i+lasting)%uint32(len(s.left))
	s.now += 5000
	s.left[i] = s.now + 1000
	flags := events.SwitchRun | events.SwitchOff | events.SwitchWake
	if lockOf(i) == events.LockUser {
		flags |= events.SwitchParked
	}
	s.push(&events.Event{Kind: events.Switch, TID: firstTID + i, Flags: flags, Args: [8]uint64{
		events.ArgRunNS: 1000, events.ArgRunqNS: 2000, events.ArgBlockedNS: uint64(s.left[i]-out) - 3000,
		events.ArgWaker: uint64(before), events.ArgLock: uint64(lockOf(i)),
	}})
	s.switches++
}

// preempt sends a SIGURG from one thread to another.
func (s *stream) preempt(from, to uint32) {
	s.push(&events.Event{Kind: events.TgkillEnter, TID: from})
	s.push(&events.Event{Kind: events.SignalGenerate, TID: to, Flags: events.TargetOnCPU, Args: [8]uint64{
		events.ArgSender: uint64(from), events.ArgSenderTGID: firstTID,
	}})
	s.push(&events.Event{Kind: events.TgkillExit, TID: from})
	s.push(&events.Event{Kind: events.SignalDeliver, TID: to})
	s.push(&events.Event{Kind: events.Sigreturn, TID: to, Args: [8]uint64{4096}})
	s.signals++
}

// life sends a thread's events from clone to sched_process_free, in one turn.
func (s *stream) life(parent uint32) {
	tid := s.nextTID
	s.nextTID++
	s.push(&events.Event{Kind: events.CloneEnter, TID: parent})
	s.push(&events.Event{Kind: events.NewTask, TID: tid,
		Args: [8]uint64{events.ArgParent: uint64(parent), events.ArgChildNSTID: uint64(tid)}})
	created := s.now
	s.push(&events.Event{Kind: events.CloneExit, TID: parent, Args: [8]uint64{uint64(tid)}})
	s.push(&events.Event{Kind: events.Sigaltstack, TID: tid, CPU: 1})
	s.push(&events.Event{Kind: events.Sigmask, TID: tid, CPU: 1})
	s.push(&events.Event{Kind: events.ExitEnter, TID: tid, CPU: 1})
	s.push(&events.Event{Kind: events.ProcessExit, TID: tid, CPU: 1})
	run := uint64(4500)
	s.push(&events.Event{Kind: events.Switch, TID: tid, CPU: 1,
		Flags: events.SwitchRun | events.SwitchOff | events.SwitchWake | events.SwitchFirst | events.SwitchDead,
		Args: [8]uint64{events.ArgRunNS: run, events.ArgRunqNS: 100,
			events.ArgBlockedNS: uint64(s.now-created) + 1000 - run - 100, events.ArgLastCPU: 0xffff}})
	s.push(&events.Event{Kind: events.ProcessFree, TID: tid})
	s.born++
	s.switches++
}

func (s *stream) release(until events.Time) {
	s.order.Release(until, func(e *events.Event) {
		for _, r := range s.correlator.Add(e) {
			if err := Validate(r); err != nil {
				s.invalid = err
			}
			if r.Interval {
				s.intervals++
			} else {
				s.whole = r
			}
		}
	})
}

func (s *stream) finish() {
	s.push(&events.Event{Kind: events.WindowEnd})
	s.snapshot()
	s.push(&events.Event{Kind: events.WindowSettled})
	s.release(s.now + 1)
}

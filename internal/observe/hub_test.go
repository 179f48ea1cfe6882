package observe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/loader"
)

// fakeKernel is a kernel side whose records come from a test, and whose clock the test sets. Its PIDs are
// beyond those that a machine has, so that /proc shows nothing of them.
type fakeKernel struct {
	clock   events.Time
	records []events.Event         // in the buffers
	slots   map[uint32]*fakeTarget // in use
	running map[int]*fakeTarget    // that can be added
	slotOf  map[uint32]uint32      // by tid
	ending  bool
	most    int // slots in use at one time
	room    int // of slots; 0 = no limit
}

type fakeTarget struct {
	k               *fakeKernel
	id              int
	slot            uint32
	tids            []uint32
	ended, gone     bool
	adopted, closed bool
	lost            losses
	err             error // of a list of threads
}

func (k *fakeKernel) Now() uint64       { return uint64(k.clock) }
func (k *fakeKernel) Emptied(int) error { return nil }
func (k *fakeKernel) TargetEnded()      {}
func (k *fakeKernel) Follow(int) error  { return nil }
func (k *fakeKernel) lives(pid int) bool {
	f := k.running[pid]
	return f != nil && !f.ended
}

func (k *fakeKernel) SlotOf(tid uint32) (uint32, bool) {
	slot, ok := k.slotOf[tid]
	return slot, ok
}

func (k *fakeKernel) add(pid int) (memberSide, error) {
	f := k.running[pid]
	switch {
	case f == nil:
		return nil, fmt.Errorf("process %d: %w", pid, loader.ErrNoProcess)
	case f.ended:
		return nil, endedError(pid)
	case k.room > 0 && len(k.slots) == k.room:
		return nil, loader.ErrNoSlot
	}
	f.adopted, f.closed, k.slots[f.slot] = true, false, f
	k.most = max(k.most, len(k.slots))
	return f, nil
}

func (k *fakeKernel) addExecuted(slot uint32) (memberSide, error) {
	f := k.slots[slot]
	if f == nil {
		return nil, errors.New("no target")
	}
	f.adopted = true
	return f, nil
}

func (k *fakeKernel) Executed() (slots []uint32) {
	for slot, f := range k.slots {
		if !f.adopted {
			slots = append(slots, slot)
		}
	}
	return slots
}

// happen puts a record into the buffers, unless it is lost, and has the kernel side know of it.
func (k *fakeKernel) happen(e events.Event, lost bool) {
	if e.Kind == events.Exec {
		from, to := uint32(e.Args[events.ArgFromSlot]), uint32(e.Args[events.ArgToSlot])
		if f := k.slots[from]; f != nil && from != to {
			f.gone = true
		}
		if uint64(to) != events.NoSlot && from != to {
			f := &fakeTarget{k: k, id: int(e.TID), slot: to, tids: []uint32{e.TID}}
			k.slots[to], k.running[f.id], k.slotOf[e.TID] = f, f, to
		}
	}
	if !lost {
		k.records = append(k.records, e)
	}
}

// drain passes on the records before a time. Time goes on at the end, where a hub waits for that.
func (k *fakeKernel) drain(before events.Time, out func(*events.Event)) (events.Drained, error) {
	var rest []events.Event
	for i := range k.records {
		if k.records[i].Time < before {
			out(&k.records[i])
		} else {
			rest = append(rest, k.records[i])
		}
	}
	k.records = rest
	if k.ending {
		k.clock += events.Time(time.Millisecond)
	}
	return events.Drained{Until: before}, nil
}

func (f *fakeTarget) process() process                                  { return f }
func (f *fakeTarget) Now() uint64                                       { return f.k.Now() }
func (f *fakeTarget) Alive() bool                                       { return !f.ended }
func (f *fakeTarget) AwaitEnd()                                         {}
func (f *fakeTarget) tgid() uint32                                      { return uint32(f.id) }
func (f *fakeTarget) pid() int                                          { return f.id }
func (f *fakeTarget) Slot() uint32                                      { return f.slot }
func (f *fakeTarget) Gone() bool                                        { return f.gone }
func (f *fakeTarget) losses() (losses, error)                           { return f.lost, nil }
func (f *fakeTarget) SetRuntime(loader.Runtime) error                   { return nil }
func (f *fakeTarget) LockProved() error                                 { return nil }
func (f *fakeTarget) ProbePins(loader.Place) error                      { return nil }
func (f *fakeTarget) Snapshot(each func([]byte) error) error            { return f.err }
func (f *fakeTarget) Throttled() ([]loader.ThrottledCPU, uint64, error) { return nil, 0, nil }

func (f *fakeTarget) ThreadInfos() (infos []loader.ThreadInfo, err error) {
	for _, tid := range f.tids {
		infos = append(infos, loader.ThreadInfo{KernelTID: tid, TID: int32(tid)})
	}
	return infos, nil
}

func (f *fakeTarget) Close() error {
	if f.closed {
		return fmt.Errorf("slot %d is closed twice", f.slot)
	}
	f.closed, f.adopted = true, false
	if f.k.slots[f.slot] == f {
		delete(f.k.slots, f.slot)
	}
	return nil
}

// hubTest is a hub with a fake kernel side.
type hubTest struct {
	*hub
	t       testing.TB
	k       *fakeKernel
	late    map[int]chan struct{} // by PID: closed when its program may be read
	waiting atomic.Int64          // readers of such
	unreads map[int]bool          // by PID: it ends before its program is read
	windows []*Window
	out     bytes.Buffer
}

func newHubTest(t testing.TB) *hubTest {
	k := &fakeKernel{slots: map[uint32]*fakeTarget{}, running: map[int]*fakeTarget{}, slotOf: map[uint32]uint32{}}
	x := &hubTest{t: t, k: k, late: map[int]chan struct{}{}, unreads: map[int]bool{}}
	cfg := GroupConfig{Follow: true}
	cfg.OnTarget = func(w *Window) error {
		x.windows = append(x.windows, w)
		x.window(w)
		return nil
	}
	cfg.OnSkipped = func(s Skipped) { fmt.Fprintf(&x.out, "skipped %d: %s\n", s.PID, s.Reason) }
	cfg.OnProblem = func(pid int, err error) { fmt.Fprintf(&x.out, "problem %d: %v\n", pid, err) }
	distance := func(_, _ int) string { return "llc" }
	x.hub = newHub(cfg, &sensor{distance: distance, stats: &loader.Stats{}, stacks: &events.Stacks{}})
	x.kernel, x.drain, x.missed = k, k.drain, func() (map[string]uint64, error) { return nil, nil }
	x.readers = make(chan struct{}, 1000)
	x.readProgram = func(m *member) {
		if wait := x.late[m.o.target.PID]; wait != nil {
			x.waiting.Add(1)
			<-wait
			x.waiting.Add(-1)
		}
		m.unread = x.unreads[m.o.target.PID]
	}
	x.reports = startReports()
	return x
}

// window prints what a report shows of who it is about and what was counted.
func (x *hubTest) window(w *Window) {
	r := w.Result
	fmt.Fprintf(&x.out, "window %d: %d to %d", w.Target.PID, r.Start, r.End)
	if f := w.Target.ExecutedFrom; f != nil {
		fmt.Fprintf(&x.out, ", after a program since %d", f.Start)
	}
	if e := w.Target.Executes; e != nil {
		fmt.Fprintf(&x.out, ", executes one at %d", e.Start)
	}
	if w.Target.Ended {
		fmt.Fprint(&x.out, ", ended")
	}
	c := r.Counts
	fmt.Fprintf(&x.out, "; %d threads, %d born, %d exited, %d killed, %d switches, lost %d\n", c.Threads, c.ThreadsCreated,
		c.ThreadsExited, c.ThreadsKilled, c.Switches, r.Loss.Total())
	for _, words := range w.Warnings {
		fmt.Fprintf(&x.out, "  %s\n", words)
	}
}

// at moves the clock on and has the hub take what came before. It waits for programs that can be read.
func (x *hubTest) at(now events.Time) {
	x.t.Helper()
	x.k.clock = max(x.k.clock, now)
	if err := x.tick(now); err != nil {
		x.t.Fatal(err)
	}
	x.awaitReaders()
}

func (x *hubTest) awaitReaders() {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Microsecond) {
		x.read.mu.Lock()
		reading := x.read.reading
		x.read.mu.Unlock()
		if int64(reading) == x.waiting.Load() {
			return
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("%d programs are being read", reading)
		}
	}
}

// finished ends the observation and returns what came out.
func (x *hubTest) finished() string {
	x.t.Helper()
	x.k.ending = true
	if err := x.finish(); err != nil {
		x.t.Error(err)
	}
	for pid, wait := range x.late {
		delete(x.late, pid)
		close(wait)
	}
	x.stop()
	if err := errors.Join(x.reports.stop(), x.detached); err != nil {
		x.t.Error(err)
	}
	if x.strays > 0 {
		fmt.Fprintf(&x.out, "%d records of no known process\n", x.strays)
	}
	return x.out.String()
}

// Every file testdata/hub/SCENARIO.txt is what happens to several processes and a hub; what the hub hands out
// is in SCENARIO.golden. A line is a record in the text form of events, or:
//
//	lost RECORD           that found no room
//	run PID SLOT TID…     a process runs, with these threads, and would get that slot
//	add PID               it becomes a target
//	slot TID SLOT         the kernel side knows the thread's slot
//	end PID               the process has ended
//	late PID, read PID    its program is not read until then
//	unread PID            it ends before its program is read
//	now TIME              the hub takes what came before
//
// At the end the observation ends. Slot 4294967295 is none.
func TestHub(t *testing.T) {
	files, err := filepath.Glob("testdata/hub/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".txt")
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			x := newHubTest(t)
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					x.line(line)
				}
			}
			testenv.Golden(t, name+".golden", []byte(x.finished()))
		})
	}
}

func (x *hubTest) line(line string) {
	x.t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	if word[0] >= '0' && word[0] <= '9' || word == "lost" {
		e, err := events.ParseText(strings.TrimPrefix(line, "lost "))
		if err != nil {
			x.t.Fatal(err)
		}
		x.k.happen(e, word == "lost")
		return
	}
	var args []int
	for _, field := range strings.Fields(rest) {
		n, err := strconv.ParseInt(field, 0, 64)
		if err != nil {
			x.t.Fatalf("%s: %v", line, err)
		}
		args = append(args, int(n))
	}
	switch word {
	case "run":
		f := &fakeTarget{k: x.k, id: args[0], slot: uint32(args[1])}
		for _, tid := range args[2:] {
			f.tids = append(f.tids, uint32(tid))
		}
		x.k.running[f.id] = f
	case "add":
		x.add(args[0], false, 1)
		x.awaitReaders()
	case "slot":
		x.k.slotOf[uint32(args[0])] = uint32(args[1])
	case "end":
		for _, f := range x.k.slots {
			f.ended = f.ended || f.id == args[0]
		}
	case "late":
		x.late[args[0]] = make(chan struct{})
	case "read":
		wait := x.late[args[0]]
		delete(x.late, args[0])
		close(wait)
		for x.waiting.Load() > 0 {
			time.Sleep(50 * time.Microsecond)
		}
		x.awaitReaders()
	case "unread":
		x.unreads[args[0]] = true
	case "now":
		x.at(events.Time(args[0]))
	default:
		x.t.Fatalf("%s: no such line", line)
	}
}

// TestTargetsCounted: a process that executed a program and was not judged yet is no target, nor is one that ended.
func TestTargetsCounted(t *testing.T) {
	got := -1
	h := hub{cfg: GroupConfig{OnCount: func(targets int) { got = targets }},
		members: []*member{{begun: true}, {exec: 1}, {begun: true, done: true}}}
	if h.count(); got != 1 {
		t.Errorf("%d targets, want 1", got)
	}
}

// What the kernel did not count is unknown, not 0.
func TestSkippedExecs(t *testing.T) {
	var g Group
	g.setSkippedExecs(map[string]uint64{"sched_process_exec": 3, "sched_switch": 9}, nil)
	if g.SkippedExecs == nil || *g.SkippedExecs != 3 || g.Warnings != nil {
		t.Errorf("%+v", g)
	}
	g = Group{}
	g.setSkippedExecs(map[string]uint64{}, errors.New("refused"))
	if g.SkippedExecs != nil || len(g.Warnings) != 1 {
		t.Errorf("%+v", g)
	}
}

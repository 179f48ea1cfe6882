package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// groupReaders is how many programs are read at once. Reading takes CPU time from the targets.
const groupReaders = 2

// member is one target of a hub, from the moment it is known to that of its window.
type member struct {
	hub    *hub
	kernel memberSide
	o      *observation // nil when it is done and read

	exec     events.Time // its exec; 0 = it ran before
	since    events.Time // records before are not its own
	next     events.Time // the process's next exec that is known; 0 = none
	slot     uint32
	tgid     uint32
	try      int  // of a process that executes programs, as the same target
	named    bool // by its PID: observed whatever it is
	followed bool // it descends from a target
	judged   bool // GroupConfig.Want was asked

	executed executed      // of its exec
	known    bool          // the kernel side knows the runtime since the exec
	recalled *knownProgram // by which a process is described that ended before it was read; nil = by itself

	created       uint64     // threads, by the records so far
	comm          string     // the name of its first thread: up to 15 bytes of the executable's
	before, after *Execution // the programs that the same process ran before and runs after; nil = none

	// Set by the goroutine that reads the program.
	first    edge
	skip     string      // why it is no target; "" = it is one
	err      error       // why it cannot be observed
	unread   bool        // the process ended first
	readFrom events.Time // when the process was held

	reading bool        // the fields above are not to be read yet
	begun   bool        // its program has been read
	started events.Time // where the window of one that ran before begins
	entered events.Time // where the window of an executed program begins; 0 = not dispatched yet
	left    bool        // it has executed another program
	stale   bool        // it executed another program, as the same target, before its window began
	gone    events.Time // when the kernel side was found to observe it no more; 0 = it does
	done    bool
	doneAt  events.Time
	tended  events.Time
}

// onWindow passes on an interval. An error of the callback is not the target's.
func (h *hub) onWindow(w *Window) error {
	err := h.cfg.OnWindow(w)
	h.err = cmp.Or(h.err, err)
	return err
}

// begin begins the window of a member whose program has been read.
func (h *hub) begin(m *member) {
	m.reading = false
	if m.done {
		m.release()
		return
	}
	if m.exec != 0 && m.next != 0 && m.next < m.readFrom {
		m.forget() // what was read may be the next program
	}
	if m.unread && m.exec != 0 && !m.done {
		m.recall()
	}
	switch {
	case m.stale:
		h.again(m)
	case m.err != nil && !m.unread:
		h.fail(m, m.err)
	case m.skip != "" && !m.unread:
		h.skipped(m, m.skip)
		h.drop(m)
	case m.left && m.exec == 0: // before its window began
		h.drop(m)
	default:
		if err := m.begin(); err != nil {
			h.fail(m, err)
		}
	}
}

func (m *member) begin() (err error) {
	o := m.o
	if err := m.kernel.SetRuntime(loader.RuntimeOf(o.program.Info)); err != nil {
		return err
	}
	o.pauses = openPauses(os.DirFS("/"), o.target.PID)
	if m.exec != 0 && !m.unread && !m.known {
		o.locksFrom = o.loop.now()
	}
	o.prepareLoop()
	if o.begin, err = o.usage(); err != nil {
		return err
	}
	o.last, m.begun = o.begin, true
	for _, place := range o.pinPlaces() {
		if err := m.kernel.ProbePins(place); err != nil {
			o.warnings = append(o.warnings, "the callers of runtime.LockOSThread are not known: "+oneLine(err))
			break
		}
	}
	if m.exec == 0 {
		m.started, err = o.loop.begin(context.Background())
		if errors.Is(err, loader.ErrEnded) {
			m.hub.endedEarly(m, err)
			return nil
		}
		return err
	}
	if m.entered != 0 {
		m.start()
	}
	if !m.unread && m.kernel.process().Alive() {
		_, err = o.loop.readLocks()
	}
	return err
}

// endedEarly drops a member that ran before, and ended before its window began. That is nobody's problem
// unless it was meant by its PID.
func (h *hub) endedEarly(m *member, err error) {
	if m.named {
		h.problem(m.o.target.PID, err)
	}
	h.drop(m)
}

// forget discards what was read: it is not known of which program that is.
func (m *member) forget() {
	m.o.program.Close()
	m.o.program, m.o.warnings, m.o.target = &Program{}, nil, Target{PID: m.o.target.PID}
	m.judged, m.unread, m.skip, m.err, m.first = false, true, "", nil, unreadEdge(errReplaced)
}

var errReplaced = errors.New("the process had executed another program before this was read")

// enter is the moment at which the window of an executed program begins.
func (m *member) enter(at events.Time) {
	if m.done {
		return
	}
	start := events.Event{Kind: events.WindowStart, Time: at}
	if m.o.cfg.Interval > 0 {
		start.Flags = events.WindowIntervals
	}
	m.o.loop.order.Push(&start)
	m.entered = at
	if m.begun {
		m.start()
	}
}

func (m *member) start() {
	l := m.o.loop
	l.began = true
	m.o.edges[m.entered], m.o.newest = m.first, m.first
}

// leave ends the window of a target that executes another program. thread is the state of the thread
// that does; without a time it is not known.
func (m *member) leave(at events.Time, thread events.Event, next *member) {
	l := m.o.loop
	switch {
	case m.begun && m.exec == 0 && at <= m.started: // before its window began
		m.hub.drop(m)
		return
	case l.end != 0 && l.end <= at: // after its window
		m.o.left = true
		return
	}
	m.left, m.o.left, m.after = true, true, &Execution{}
	if next != nil {
		m.after.Exe, m.after.Start = next.exeName(), at
	}
	l.order.Push(&events.Event{Kind: events.WindowEnd, Time: at})
	if thread.Time != 0 {
		l.order.Push(&thread)
	}
	l.end, l.settled = at, at+1
	l.ended = false // the process may have ended since, as another program
	l.order.Push(&events.Event{Kind: events.WindowSettled, Time: l.settled})
	m.o.newest = unreadEdge(errReplaced)
	m.o.edges[at] = m.o.newest
}

// push takes one record of the target.
func (m *member) push(e *events.Event) {
	if m.done {
		return
	}
	if e.Kind == events.Exec && (!m.begun || e.Time <= m.started) {
		m.stale = true
	}
	m.tended = 0
	l := m.o.loop
	if l.began && e.Kind == events.Switch { // others may ask for what tend reads first, as of a plugin
		l.order.Pass(e, l.add)
		return
	}
	l.order.Push(e)
}

// exeName is the name of the executable; "" = not known yet.
func (m *member) exeName() string {
	if m.done || !m.begun {
		return ""
	}
	return m.o.target.Exe
}

// tendEvery is how long a target without records is left alone, or tendEach for each target: reading
// whether one is stopped takes some 15 µs.
const (
	tendEvery = pollCalm
	tendEach  = 500 * time.Microsecond
)

// tend lets a member get on: all its records before until are there. pause is how long one without
// records is left alone at least.
func (h *hub) tend(m *member, before, until events.Time, pause time.Duration) {
	if !m.begun || m.done {
		return
	}
	least := tendEvery
	if m.o.pauses.hasQuota() {
		least = longestWithQuota
		h.longest = least // for good: such targets rarely come alone
	}
	if before.Sub(m.tended) < max(least, pause) {
		return
	}
	m.tended = before
	l := m.o.loop
	l.behind = h.behind
	if err := l.tend(until); err != nil {
		h.fail(m, err)
		return
	}
	switch {
	case l.done:
		h.settle(m)
	case m.stale:
		h.again(m)
	case m.left, m.exec != 0 && m.entered == 0:
		m.tended = 0 // until all is there
	case l.targetGone(before):
		if m.exec == 0 && l.endedBefore(m.started) {
			h.endedEarly(m, endedError(l.cfg.PID))
			return
		}
		if h.end(m); !m.done {
			h.settle(m)
		}
	case l.ended:
		m.tended = 0
	case m.gone == 0 && m.kernel.Gone():
		m.gone = h.now() // the Exec record is on its way, or the process has just ended
	case m.gone != 0 && until > m.gone:
		h.fail(m, lostExecError(l.cfg.PID))
	}
}

// open reports whether a member's window has begun and not ended.
func (m *member) open() bool { return m.begun && !m.done && !m.left && (m.exec == 0 || m.entered != 0) }

// cut ends an interval and begins the next.
func (h *hub) cut(m *member) {
	if !m.open() || m.o.loop.ended {
		return
	}
	if err := m.o.loop.boundary(context.Background(), events.WindowCut); err != nil {
		h.fail(m, err)
	}
}

// end ends the window now, unless it has ended.
func (h *hub) end(m *member) {
	if !m.open() {
		return
	}
	m.o.loop.followRuntimes()
	if err := m.o.loop.boundary(context.Background(), events.WindowEnd); err != nil {
		h.fail(m, err)
	}
}

// settle hands out the window of a target that has ended.
func (h *hub) settle(m *member) {
	l := m.o.loop
	if m.begun {
		l.release(l.settled + 1)
	}
	switch {
	case l.err != nil:
		h.fail(m, l.err)
		return
	case m.o.whole == nil:
		h.fail(m, fmt.Errorf("process %d: %w", m.o.target.PID, errTooLate))
		return
	}
	defer h.drop(m)
	if !m.judged && !m.wanted(m.endedName(), true) {
		h.skipped(m, Unwanted)
		return
	}
	// Where births were lost there may have been some.
	alone := m.created == 0 && m.o.whole.Loss.ByKind[events.NewTask.String()] == 0
	notGo := errors.Is(m.o.noProgram, goruntime.ErrNotGo) || m.unread && alone
	if m.unread && notGo && !m.named {
		h.skipped(m, Unread)
		return
	}
	w, err := m.o.final(nil)
	if err != nil {
		h.problem(m.o.target.PID, err)
		return
	}
	w.Target.NotGo = notGo
	if m.o.cfg.NotBegun {
		w.Target.Started = m.windowStart()
	}
	w.Target.ExecutedFrom, w.Target.Executes = m.before, m.after
	w.Target.Exe = cmp.Or(w.Target.Exe, m.comm)
	if m.unread {
		ended := "ended"
		if m.left {
			ended = "executed another program"
		}
		w.warn("the process %s before its program could be read: locks, roles and functions are not known", ended)
	}
	if h.cfg.OnTarget != nil {
		h.reports.add(func() error { return h.cfg.OnTarget(w) })
	}
}

func (h *hub) skipped(m *member, reason string) {
	if h.cfg.OnSkipped == nil {
		return
	}
	s := Skipped{PID: m.o.target.PID, Exe: cmp.Or(m.o.target.Exe, m.comm), Followed: m.followed, Reason: reason}
	h.reports.add(func() error {
		h.cfg.OnSkipped(s)
		return nil
	})
}

// fail drops a target that cannot be observed, as others can.
func (h *hub) fail(m *member, err error) {
	if h.err == nil { // else that ends them all
		h.problem(m.o.target.PID, err)
	}
	h.drop(m)
}

// drop ends what belongs to a member. Its process is no target any more.
func (h *hub) drop(m *member) {
	if m.done {
		return
	}
	m.done, m.doneAt = true, h.now()
	h.freed = cmp.Or(h.freed, m.doneAt)
	h.forget(m)
	h.detached = errors.Join(h.detached, m.kernel.Close())
	m.kernel = nil
	if !m.reading { // else once it has been read
		m.release()
	}
}

// release frees what a member that is done has of its process.
func (m *member) release() {
	m.o.program.Close()
	if m.recalled != nil {
		m.hub.known.release(m.recalled)
	}
	m.o, m.first = nil, edge{}
}

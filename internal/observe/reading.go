package observe

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/loader"
)

// adopt makes a member of a target of the kernel side. exec and since are the member's.
func (h *hub) adopt(kernel memberSide, named bool, exec, since events.Time) *member {
	m := &member{hub: h, kernel: kernel, named: named, slot: kernel.Slot(), tgid: kernel.tgid(), exec: exec, since: since}
	pid := kernel.pid()
	m.o = &observation{sensor: h.sensor, cfg: h.cfg.Config, target: Target{PID: pid}, program: &Program{}}
	cfg := &m.o.cfg
	cfg.PID, cfg.OnBegin, cfg.OnProgress, cfg.OnEvent = pid, nil, nil, nil
	if !named {
		cfg.OnLimit = nil
	} else if cfg.OnLimit != nil {
		cfg.OnLimit = h.limit
	}
	cfg.NotBegun = cfg.NotBegun && named && pid == h.cfg.PIDs[0]
	if cfg.OnWindow != nil {
		cfg.OnWindow = h.onWindow
	}
	m.o.makeLoop(kernel)
	m.o.loop.fetch = h.fetch
	for _, other := range h.members { // execs may become known in any order
		if first, second := m, other; other.tgid == m.tgid {
			if other.exec < exec {
				first, second = other, m
			}
			if first.next == 0 || second.exec < first.next {
				first.next = second.exec
			}
		}
	}
	h.members = append(h.members, m)
	h.bySlot[m.slot] = m
	if last := h.byPID[pid]; last == nil || exec == 0 || last.exec < exec {
		h.byPID[pid] = m
	}
	return m
}

// add makes a target of a process that runs.
func (h *hub) add(pid int, named bool, try int) {
	if m := h.byPID[pid]; m != nil && !m.done && !m.left {
		return
	}
	waited := h.refused[pid]
	delete(h.refused, pid)
	if !h.hasFiles() {
		h.refuse(pid, named, waited, h.errNoFiles())
		return
	}
	since := h.now()
	kernel, err := h.kernel.add(pid)
	if err != nil {
		gone := errors.Is(err, loader.ErrEnded) || errors.Is(err, loader.ErrNoProcess)
		switch {
		case errors.Is(err, loader.ErrNoSlot):
			h.refusals++
			h.refuse(pid, named, waited, err)
		case gone && waited:
			h.noRoom++
		case named || !gone:
			h.problem(pid, err)
		}
		return
	}
	if h.bySlot[kernel.Slot()] != nil { // under another PID
		return
	}
	m := h.adopt(kernel, named, 0, since)
	m.o.loop.held = m.o.cfg.NotBegun
	m.try = try
	threads, err := kernel.ThreadInfos()
	if err != nil {
		h.fail(m, err)
		return
	}
	for _, t := range threads {
		h.byTID.set(t.KernelTID, m)
	}
	h.startReading(m)
}

// refuse notes a process for which there is no room. If Find may find others, it is tried again when there is.
// waited: it was refused before.
func (h *hub) refuse(pid int, named, waited bool, err error) {
	if !waited {
		h.problem(pid, err)
	}
	if h.cfg.Find == nil || named {
		h.noRoom++
		return
	}
	h.full, h.refused[pid] = true, true
	h.read.find([]int{pid})
}

// slotRest is how long a slot may rest before another target gets it, see loader.Group.Emptied.
const slotRest = events.Time(100 * time.Millisecond)

// roomAgain has processes added again once a target's slot is free that had ended after there was no room.
func (h *hub) roomAgain() {
	if h.full && h.freed != 0 && h.finishing == 0 && h.now() >= h.freed+slotRest {
		h.full, h.freed = false, 0
	}
}

// dropEnded forgets processes that ended while they waited for room.
func (h *hub) dropEnded() {
	if !h.full {
		return
	}
	h.read.mu.Lock()
	defer h.read.mu.Unlock()
	h.read.found = slices.DeleteFunc(h.read.found, func(pid int) bool {
		ended := !h.kernel.lives(pid)
		if ended {
			h.noRoom++
			delete(h.refused, pid)
		}
		return ended
	})
}

// withoutRoom is up to how many processes found no room. refused is how often the kernel side had none.
func (h *hub) withoutRoom(refused uint64) uint64 {
	n := refused - h.refusals + h.noRoom
	if h.full {
		n += uint64(len(h.read.found))
	}
	return n
}

// again begins anew with a process that has executed a program, as the same target, before its window
// began: what was read may be of either.
func (h *hub) again(m *member) {
	pid := m.o.target.PID
	if m.try == attachTries {
		h.fail(m, fmt.Errorf("process %d %w: try again", pid, errExecutes))
		return
	}
	h.drop(m)
	h.add(pid, m.named, m.try+1)
}

// readMembers are members whose programs have been read.
type readMembers struct {
	mu      sync.Mutex
	list    []*member
	reading int
	found   []int       // processes that are to be added
	stopped atomic.Bool // no program is to be read any more
}

// readAfter is how long after a process was held an exec may become known that came before that.
const readAfter = 5 * time.Millisecond

// take returns the members whose programs have been read, for which no exec before that read can still
// become known. All records before until are.
func (r *readMembers) take(until events.Time) (ready []*member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rest := r.list[:0]
	for _, m := range r.list {
		if m.exec == 0 || m.readFrom+events.Time(readAfter) <= until {
			ready = append(ready, m)
		} else {
			rest = append(rest, m)
		}
	}
	clear(r.list[len(rest):])
	r.list = rest
	return ready
}

// pending is the number of members whose windows cannot begin yet.
func (r *readMembers) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reading + len(r.list)
}

// find notes processes that are to be added.
func (r *readMembers) find(pids []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, pids...)
}

// toAdd reports whether there are such processes.
func (r *readMembers) toAdd() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.found) > 0
}

// next takes one of them.
func (r *readMembers) next() (pid int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.found) == 0 {
		return 0, false
	}
	pid, r.found = r.found[0], r.found[1:]
	return pid, true
}

func (h *hub) startReading(m *member) {
	h.read.mu.Lock()
	h.read.reading++
	h.read.mu.Unlock()
	m.reading = true
	h.background.Go(func() {
		h.readers <- struct{}{}
		if !h.read.stopped.Load() {
			h.readProgram(m)
		}
		<-h.readers
		h.read.mu.Lock()
		h.read.list = append(h.read.list, m)
		h.read.reading--
		h.read.mu.Unlock()
		h.wakeUp()
	})
}

func (h *hub) wakeUp() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// readProgram reads what the process runs.
func (m *member) readProgram() {
	o := m.o
	switch exe, err := procfs.Process(o.target.PID).Exe(); {
	case o.process != nil:
		o.target.setExe(o.process.Exe())
	case m.exec != 0:
		m.unread, m.first = true, unreadEdge(os.ErrProcessDone)
		if path := m.executed.path(); path != "" {
			o.target.setExe(path)
		}
		m.keepProgram()
		return
	case err == nil:
		o.target.setExe(exe)
	}
	if !m.wanted(o.target.Exe, false) {
		m.skip = Unwanted
		if o.process != nil {
			o.process.Close()
		}
		return
	}
	m.follow()
	o.cfg.Sites = false // a program without is observed all the same
	m.err = o.describe()
	o.cfg.Sites = m.hub.cfg.Sites && m.err == nil && o.program.Info != nil
	if o.cfg.Sites {
		var err error
		if o.probe, err = o.program.pinProbe(m.hub.breakpoint); err != nil {
			o.cfg.Sites = false
			o.limit(fmt.Errorf("process %d: %w: %w", o.target.PID, errSites, err), oneLine(err))
		}
	}
	switch {
	case m.err != nil:
	case o.program.Info != nil:
	case errors.Is(o.noProgram, fs.ErrNotExist), errors.Is(o.noProgram, os.ErrProcessDone):
		m.unread = true
	case !m.named:
		m.skip = NotGo
	}
	if m.skip == "" && m.err == nil {
		m.first = o.readEdge(true)
	}
	m.keepProgram()
}

// follow has what the process starts followed. Where every exec of the machine makes a target, only those
// that are meant are followed.
func (m *member) follow() {
	h := m.hub
	if !h.cfg.Follow || !h.cfg.Watch || m.exec == 0 || m.followed {
		return
	}
	if err := h.kernel.Follow(m.o.target.PID); err != nil && m.kernel.process().Alive() {
		m.o.warnings = append(m.o.warnings, "what the process starts is not followed: "+oneLine(err))
	}
}

// find makes targets of processes that run and are meant.
func (h *hub) find() {
	if h.cfg.Find == nil || h.finding.Swap(true) {
		return
	}
	h.background.Go(func() {
		h.read.find(h.cfg.Find())
		h.finding.Store(false)
		h.wakeUp()
	})
}

// mostPending is how many of the processes that find has found have a slot before it is known whether they
// are Go programs: on most machines few are, and there may be more processes than slots.
const mostPending = 64

// addFound adds processes that find has found.
func (h *hub) addFound() {
	h.roomAgain()
	for !h.full && h.read.pending() < mostPending {
		pid, more := h.read.next()
		if !more {
			return
		}
		h.add(pid, false, 1)
	}
}

// wanted asks whether the process is to be observed.
func (m *member) wanted(exe string, ended bool) bool {
	m.judged = true
	want := m.hub.cfg.Want
	c := Candidate{PID: m.o.target.PID, Exe: exe, Followed: m.followed, Named: m.named, Ended: ended}
	return want == nil || want(c) || m.named
}

// endedName is the name of a program that ended before it was read.
func (m *member) endedName() string {
	name := cmp.Or(m.o.target.Exe, m.comm)
	if path := m.executed.path(); name == m.comm && path != "" {
		return filepath.Base(path)
	}
	return name
}

// stop drops all members and waits for what is being read.
func (h *hub) stop() {
	for _, m := range h.members { // after an error
		h.drop(m)
	}
	h.read.stopped.Store(true)
	h.background.Wait()
	for _, m := range h.read.list {
		m.release()
	}
}

// windowStart is where its window begins; 0 = it has not begun.
func (m *member) windowStart() events.Time {
	if m.exec != 0 {
		return m.entered
	}
	return m.started
}

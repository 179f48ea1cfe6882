package loader

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
)

// errOneTarget means that the programs of a Session are for one target, by constants.
var errOneTarget = errors.New("the session is of one process, whose programs can't change")

// SetRuntime locates values in the Go runtime of a Group's target. From now on they are read. If they
// have been read since the program began, nothing changes.
func (m *Member) SetRuntime(rt Runtime) error {
	if m.group == nil {
		return errOneTarget
	}
	if atomic.LoadUint32(&m.kernel.Runtime.Known) != 0 {
		return nil
	}
	r, err := kernelRuntime(rt.info, true)
	if err != nil {
		return fmt.Errorf("process %d: %w", m.Target.PID, err)
	}
	to := (*bpf.PinwatchGoRuntime)(unsafe.Pointer(&m.kernel.Runtime))
	known := r.Known
	r.Known = 0
	atomic.StoreUint32(&to.Known, 0)
	*to = r
	atomic.StoreUint32(&to.Known, known) // the programs read nothing before
	return nil
}

// LostTurns counts the switch records that found no room since the target was added.
func (m *Member) LostTurns() (lost uint64) {
	for i := range m.cpus {
		lost += atomic.LoadUint64(&m.cpus[i].Lost)
	}
	for i := range m.shares() {
		lost += atomic.LoadUint64(&m.shares()[i].Lost)
	}
	return lost + atomic.LoadUint64(&m.kernel.LostTurns)
}

// UntrackedTurns counts the turns of threads that found no room for their state since the target was
// added.
func (m *Member) UntrackedTurns() (turns uint64) {
	for i := range m.cpus {
		turns += atomic.LoadUint64(&m.cpus[i].Untracked)
	}
	for i := range m.shares() {
		turns += atomic.LoadUint64(&m.shares()[i].Untracked)
	}
	return turns + atomic.LoadUint64(&m.kernel.UntrackedTurns)
}

// shares are nil for a Session's target.
func (m *Member) shares() []bpf.PinwatchShare {
	if m.group == nil {
		return nil
	}
	first := int(m.Slot()) * m.group.columns
	return m.group.shares[first : first+m.group.columns]
}

// Gone reports whether a Group's target is observed no more: its process has executed a program, or its
// PID is another process's.
func (m *Member) Gone() bool { return atomic.LoadUint32(&m.kernel.Gone) != 0 }

// Drop ends a Group's target: no more records of it are written. In a Group with Follow what it
// starts is followed all the same, and so is the program that it executes next.
func (m *Member) Drop() error {
	if m.group == nil {
		return errOneTarget
	}
	m.group.unhint(m.kernel)
	return nil
}

// Close drops the target and has its slot used again. It closes what the target has in the kernel for
// itself. A Session's target is closed with the Session.
func (m *Member) Close() error {
	g := m.group
	if g == nil {
		return errOneTarget
	}
	g.unhint(m.kernel)
	g.mu.Lock()
	if g.members[m.Slot()] == m {
		delete(g.members, m.Slot())
		g.resting[0] = append(g.resting[0], m.Slot())
	}
	g.mu.Unlock()
	return errors.Join(m.detach(), m.Target.Close())
}

// unhint takes a target out of the programs' sight. Where its hint was the last of several that share
// it, another's takes its place.
func (g *Group) unhint(k *bpf.PinwatchTarget) {
	tgid := atomic.SwapUint32(&k.Tgid, 0)
	if tgid == 0 {
		return
	}
	const low = uint32(bpf.PinwatchTargetHintHINTS) - 1
	at, old := &g.hints.Of[tgid&low], hint(tgid, k.Slot)
	for atomic.LoadUint64(at) == old {
		other := uint64(0)
		var shared uint32
		if g.objs.HintsShared.Get(&shared) != nil || shared != 0 {
			other = g.otherHint(tgid & low)
		}
		atomic.CompareAndSwapUint64(at, old, other)
	}
}

func hint(tgid, slot uint32) uint64 {
	return uint64(tgid)<<uint(bpf.PinwatchTargetHintHINT_TGID_SHIFT) | uint64(slot+1)
}

// otherHint finds a target whose tgid has the low bits; 0 = there is none.
func (g *Group) otherHint(low uint32) uint64 {
	for slot := range g.targets {
		t := g.at(uint32(slot))
		tgid := atomic.LoadUint32(&t.Tgid)
		if tgid != 0 && tgid&(uint32(bpf.PinwatchTargetHintHINTS)-1) == low && atomic.LoadUint32(&t.Gone) == 0 {
			return hint(tgid, uint32(slot))
		}
	}
	return 0
}

// Know locates values in the Go runtime of every process that executes a file from now on, from its
// first instruction on. The file must be one whose addresses are the same in every process. Few
// hundred files are known at a time: the last ones.
func (g *Group) Know(file bpf.PinwatchFileIdentity, rt Runtime) error {
	r, err := kernelRuntime(rt.info, true)
	if err != nil {
		return err
	}
	if r.Known == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes++
	g.writeKnown(g.placeOf(&file), &file, &r)
	return nil
}

// placeOf is where a file is known, or is to be known: at a place that has the same file with another
// content, or else at the one that was written first.
func (g *Group) placeOf(file *bpf.PinwatchFileIdentity) *bpf.PinwatchKnownProgram {
	place := knownPlace(file)
	at, other := &g.known[place], &g.known[place^1]
	same := func(k *bpf.PinwatchKnownProgram) bool { return k.File.Ino == file.Ino && k.File.Dev == file.Dev }
	if !same(at) && (same(other) || other.Version < at.Version) {
		return other
	}
	return at
}

// knownPlace is bpf/exec.bpf.h's known_place.
func knownPlace(file *bpf.PinwatchFileIdentity) uint64 {
	return (file.Ino + uint64(file.Dev)<<32) * 0x9e3779b97f4a7c15 >> (64 - uint(bpf.PinwatchKnownLayoutKNOWN_BITS))
}

// writeKnown writes an entry so that the kernel side takes all of it or nothing.
func (g *Group) writeKnown(to *bpf.PinwatchKnownProgram, file *bpf.PinwatchFileIdentity, r *bpf.PinwatchGoRuntime) {
	atomic.StoreUint64(&to.Version, 2*g.writes-1)
	storeWords(unsafe.Pointer(&to.File), unsafe.Pointer(file), unsafe.Sizeof(*file))
	storeWords(unsafe.Pointer(&to.Runtime), unsafe.Pointer(r), unsafe.Sizeof(*r))
	atomic.StoreUint64(&to.Version, 2*g.writes)
}

// storeWords copies 64-bit words in order: on arm64 a plain store may pass an atomic one before it.
func storeWords(to, from unsafe.Pointer, size uintptr) {
	for at := uintptr(0); at < size; at += 8 {
		atomic.StoreUint64((*uint64)(unsafe.Add(to, at)), *(*uint64)(unsafe.Add(from, at)))
	}
}

// SlotOf returns the slot of the target that a thread belongs to, by its tid in the initial PID
// namespace. ok is false if the kernel side has no state of the thread.
func (g *Group) SlotOf(kernelTID uint32) (slot uint32, ok bool) {
	at := &g.threads[int(kernelTID)&(len(g.threads)-1)]
	if atomic.LoadUint32(&at.Tid) == kernelTID {
		return atomic.LoadUint32(&at.Slot), true
	}
	var state bpf.PinwatchThreadState
	if err := g.objs.ThreadOverflow.Lookup(kernelTID, &state); err != nil {
		return 0, false
	}
	return state.Slot, true
}

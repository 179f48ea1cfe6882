package observe

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/loader"
)

// kernelSide is what the kernel side has of one target.
type kernelSide interface {
	process() process
	tgid() uint32
	losses() (losses, error)
	Snapshot(each func(record []byte) error) error
	ThreadInfos() ([]loader.ThreadInfo, error)
	Throttled() ([]loader.ThrottledCPU, uint64, error)
	LockProved() error
	ProbePins(at loader.Place) error
}

// process is a loader.Target.
type process interface {
	Now() uint64
	Alive() bool
	AwaitEnd()
}

// only is the kernel side of a session's only target.
type only struct {
	*loader.Session
	ring *events.Ring
}

func (s only) process() process { return s.Target }
func (s only) tgid() uint32     { return s.Target.TGID }

func (s only) losses() (lost losses, err error) {
	if lost.records, err = s.Lost(); err != nil {
		return lost, err
	}
	lost.records[events.Switch] += s.ring.LostTurns()
	lost.turns = s.ring.UntrackedTurns()
	lost.untracked, err = s.Untracked()
	return lost, err
}

// kernelSides is what the kernel side has of several targets.
type kernelSides interface {
	Now() uint64
	// add and addExecuted are loader.Group's Add and AddExecuted.
	add(pid int) (memberSide, error)
	addExecuted(slot uint32) (memberSide, error)
	Executed() (slots []uint32)
	SlotOf(tid uint32) (slot uint32, ok bool)
	Emptied(targets int) error
	Follow(pid int) error
	lives(pid int) bool
	TargetEnded()
}

// memberSide is the kernel side of one of several targets.
type memberSide interface {
	kernelSide
	pid() int
	Slot() uint32
	SetRuntime(loader.Runtime) error
	Gone() bool
	Close() error
}

// several are the targets of a loader.Group.
type several struct{ *loader.Group }

func (s several) add(pid int) (memberSide, error) { return oneOf(s.Add(pid)) }

func (s several) addExecuted(slot uint32) (memberSide, error) { return oneOf(s.AddExecuted(slot)) }

// lives reports whether there is a process with the PID; one that waits for its parent is.
func (s several) lives(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

func oneOf(m *loader.Member, err error) (memberSide, error) {
	if err != nil {
		return nil, err
	}
	return one{m}, nil
}

// one of several.
type one struct{ *loader.Member }

func (m one) process() process { return m.Target }
func (m one) tgid() uint32     { return m.Target.TGID }
func (m one) pid() int         { return m.Target.PID }

func (m one) losses() (lost losses, err error) {
	if lost.records, err = m.Lost(); err != nil {
		return lost, err
	}
	lost.records[events.Switch] += m.LostTurns()
	lost.turns = m.UntrackedTurns()
	lost.untracked, err = m.Untracked()
	return lost, err
}

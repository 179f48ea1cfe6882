package loader

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
)

// Member is one target of an observation: the process of a Session, or one of a Group's.
type Member struct {
	Target *Target

	shared    *Shared
	kernel    *bpf.PinwatchTarget   // what the kernel side knows of it: mapped memory
	group     *Group                // nil = it is a Session's
	cpus      []bpf.PinwatchCpuSlot // a Session's: mapped memory
	pins      links
	snapshot  *tasks
	throttled *tasks
}

// Slot is the target's place in the kernel side, by which an Exec record names it. A slot is used
// again after Close.
func (m *Member) Slot() uint32 { return m.kernel.Slot }

func (m *Member) attachIterators() (err error) {
	if m.snapshot, err = attachTasks(m.shared.loaded.Programs[snapshotProgram], m.Target.threadsOnly()); err != nil {
		return explainAttach("attach thread iterator", err)
	}
	return nil
}

// ask runs an iterator that is about this target.
func (m *Member) ask(run func() error) error {
	if !m.shared.many {
		return run()
	}
	m.shared.asking.Lock()
	defer m.shared.asking.Unlock()
	if err := m.shared.objs.Wanted.Set(m.Target.TGID); err != nil {
		return err
	}
	if m.snapshot == nil {
		if err := m.attachIterators(); err != nil {
			return err
		}
	}
	return run()
}

// LockProved reports that a lock was read from the target's memory that proves the offsets of
// locks. From then on the kernel side also trusts the lock of an M whose goroutine has exited. Such
// an M names no goroutine that could confirm the lock.
func (m *Member) LockProved() error {
	atomic.StoreUint32(&m.kernel.LockProved, 1)
	return nil
}

// Snapshot lists the threads that live now. Each gets one struct snapshot (bpf/event.h), which is
// valid during the call only. A thread may be listed twice.
func (m *Member) Snapshot(each func(record []byte) error) error {
	if err := m.ask(func() error { return readSnapshot(m.snapshot, each) }); err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	return nil
}

func readSnapshot(t *tasks, each func(record []byte) error) error {
	return t.read(SnapshotRecord, func(record []byte) (bool, error) { return isLast(record), each(record) })
}

// isLast reports whether a record of a Snapshot is of the process's last thread.
func isLast(record []byte) bool {
	return (*bpf.PinwatchSnapshot)(unsafe.Pointer(unsafe.SliceData(record))).Thread.Last != 0
}

// ThreadInfos lists the threads that live now and may have an M, each once.
func (m *Member) ThreadInfos() (infos []ThreadInfo, err error) {
	err = m.ask(func() (err error) {
		infos, err = threadInfos(m.snapshot)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list threads: %w", err)
	}
	return infos, nil
}

// A ThrottledCPU is a CPU on which no thread of the target may run at a moment, since its cgroup's
// quota of CPU time, or that of a cgroup above it, is used up.
type ThrottledCPU struct {
	CPU         uint16
	Time, Until uint64 // CLOCK_MONOTONIC ns: the moment, and the end of the quota's period
}

// Throttled lists the CPUs on which the target may not run now. moment is when the list was
// complete; 0 = the process has left the kernel's list of tasks. A Session has Config.Throttles.
func (m *Member) Throttled() (cpus []ThrottledCPU, moment uint64, err error) {
	each := func(record []byte) (bool, error) {
		r := (*bpf.PinwatchThrottled)(unsafe.Pointer(unsafe.SliceData(record)))
		if r.Cpu == uint32(bpf.PinwatchThrottleNOT_THROTTLED) {
			moment = r.Time
			return true, nil
		}
		cpus = append(cpus, ThrottledCPU{CPU: uint16(r.Cpu), Time: r.Time, Until: r.Until})
		return false, nil
	}
	err = m.ask(func() error {
		if err := m.attachThrottled(); err != nil {
			return err
		}
		return m.throttled.read(int(unsafe.Sizeof(bpf.PinwatchThrottled{})), each)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list throttled CPUs: %w", err)
	}
	return cpus, moment, nil
}

// attachThrottled attaches the iterator, unless it is attached.
func (m *Member) attachThrottled() error {
	if m.throttled != nil {
		return nil
	}
	prog, err := m.shared.throttled.get()
	if err != nil {
		return err
	}
	if m.throttled, err = attachTasks(prog, m.Target.leaderOnly()); err != nil {
		return explainAttach("attach throttle iterator", err)
	}
	return nil
}

// SnapshotRecord is the length of one record of a Snapshot in bytes.
const SnapshotRecord = int(unsafe.Sizeof(bpf.PinwatchSnapshot{}))

// Lost counts the records of each kind that found their ring buffer full since the target was
// added. The index is the kernel's event kind.
func (m *Member) Lost() (lost [bpf.PinwatchEventKindKIND_COUNT]uint64, err error) {
	for kind := range lost {
		lost[kind] = atomic.LoadUint64(&m.kernel.Lost[kind])
	}
	return lost, nil
}

// Untracked counts the threads that have found no room for their state since the target was added.
func (m *Member) Untracked() (threads uint64, err error) {
	return atomic.LoadUint64(&m.kernel.Untracked), nil
}

// prepare makes the state of every thread that lives, or counts the thread as one without.
func (m *Member) prepare(filter taskFilter) error {
	tasks, err := attachTasks(m.shared.loaded.Programs[prepareProgram], filter)
	if err != nil {
		return err
	}
	tasks.again = func() error { // all are counted again
		atomic.StoreUint64(&m.kernel.Untracked, 0)
		return nil
	}
	err = tasks.read(1, func(last []byte) (bool, error) { return last[0] != 0, nil })
	return errors.Join(err, tasks.Close())
}

// detach removes what the target has in the kernel for itself.
func (m *Member) detach() error {
	err := m.pins.Close()
	for _, iterator := range []*tasks{m.snapshot, m.throttled} {
		if iterator != nil {
			err = errors.Join(err, iterator.Close())
		}
	}
	m.pins, m.snapshot, m.throttled = nil, nil, nil
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

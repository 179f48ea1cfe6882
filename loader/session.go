// Package loader loads and attaches the kernel side. It finds the process, loads and attaches the
// programs, and returns maps, snapshots and counters. It does not interpret events.
package loader

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// Config of a session. The zero value is useful.
type Config struct {
	// RingBytes is the size of all buffers together; 0 = a size that suits this machine.
	RingBytes int
	// MaxRate is the largest number of switch records per second; 0 = no limit. Records beyond it
	// count as lost.
	MaxRate int
	// ThreadEntries is the size of the table of threads, a power of two; 0 = enough for the threads
	// that the target has, and more.
	ThreadEntries int
	// ThreadOverflow is the size of the table of threads that find their place taken; 0 = as for
	// ThreadEntries.
	ThreadOverflow int
	// Light leaves out every hook on a system call.
	Light bool
	// Aggregate sums turns in the kernel instead of sending each.
	Aggregate bool
	// Calibrate measures the machine while the programs are loaded: Session.Calibration.
	Calibrate bool
	// Slow makes programs slower. It is a measuring aid: results with and without it show how much
	// of a measured time is overhead.
	Slow Slow
	// Isolated are CPUs that the machine keeps for chosen threads: of a locked thread's wait there, any
	// other process that ran meanwhile is sent.
	Isolated []int
	// Runtime locates values in the target's Go runtime. With the zero value none is read.
	Runtime Runtime

	ringCPUs   int // CPUs with a ring of turns; 0 = those up to the last one online
	ringShared int // CPUs that share a ring buffer, a power of two; 0 = sharedBy
}

// Session is the observation of one process. Everything that it has in the kernel belongs to its
// file descriptors and is released with them, however pinwatch ends.
type Session struct {
	Target  *Target
	Buffers Buffers
	Room    Room

	Calibration    *Calibration // nil if not requested, or for this reason:
	CalibrationErr error

	switchHasState bool
	objs           objects
	loaded         *collection
	pin            *ebpf.Program
	pins           *links // of pin; nil = none
	attached       []attachment
	snapshot       *tasks
	throttled      *tasks
	hooks          map[string]string
	noFentry       map[string]error // by system call: why it has a tracepoint
	fence          atomic.Uint32

	// The target is a Go program without C. It makes its threads by clone
	// (runtime/sys_linux_*.s), never by clone3.
	withoutC bool
}

// Attach loads the programs and attaches them to target. The session owns target if Attach
// succeeds. On return all hooks are live.
func Attach(target *Target, cfg Config) (*Session, error) {
	switchHasState, err := probeKernel(target.types)
	if err != nil {
		return nil, err
	}
	s := &Session{
		Target: target, switchHasState: switchHasState, hooks: map[string]string{}, noFentry: map[string]error{},
		withoutC: cfg.Runtime.withoutC(),
	}
	calibrated := make(chan struct{})
	go func() {
		defer close(calibrated)
		if cfg.Calibrate {
			s.Calibration, s.CalibrationErr = calibrate(target.types, cfg.Light)
		}
	}()
	err = s.load(cfg)
	<-calibrated
	if err != nil {
		return nil, err
	}
	if err := s.attach(cfg); err != nil {
		return nil, errors.Join(err, s.detach())
	}
	// These are several MiB, and no further program is loaded.
	target.types, target.spec, s.loaded.types, s.loaded.source = nil, nil, nil, nil
	return s, nil
}

func (s *Session) load(cfg Config) error {
	k, err := newKernelSide(s.Target.spec)
	if err != nil {
		return err
	}
	s.Room = sizeRoom(max(cfg.ThreadEntries, int(s.Target.threads)))
	s.Room.Table = cmp.Or(cfg.ThreadEntries, s.Room.Table)
	s.Room.Overflow = cmp.Or(cfg.ThreadOverflow, s.Room.Overflow)
	if s.Buffers, err = sizeBuffers(cfg.RingBytes, cfg.ringCPUs, cfg.ringShared, cfg.Aggregate, s.Room); err != nil {
		return err
	}
	if err := errors.Join(
		set(
			setting{k.TargetTgid, s.Target.TGID},
			setting{k.NsLevel, s.Target.level},
			setting{k.Light, cfg.Light},
			setting{k.SwitchHasState, s.switchHasState},
		),
		k.setRuntime(cfg.Runtime.info),
		k.setSlow(cfg.Slow),
		k.setRate(cfg.MaxRate, s.Buffers.cpus),
		k.setSizes(s.Buffers, cfg.Aggregate, s.Room),
		k.setDelays(s.Buffers.possible, cfg.Isolated),
	); err != nil {
		return err
	}
	if s.loaded, err = load(k, s.Target.types, &s.objs); err != nil {
		return explainLoad("load BPF programs", err)
	}
	return nil
}

// Rings are the ring buffers of all records but switches. Neighbouring CPUs share one.
func (s *Session) Rings() []*ebpf.Map { return s.loaded.rings }

// Turns holds the rings of switch records, one for each CPU up to the last one that was online. It
// can be mapped.
func (s *Session) Turns() *ebpf.Map { return s.objs.Turns }

// CPUSlots holds the positions at which each CPU's ring of turns is written and read (bpf/maps.h).
// It can be mapped.
func (s *Session) CPUSlots() *ebpf.Map { return s.objs.CpuSlots }

// Banks are the maps in which an aggregating session sums by CPU (bpf/maps.h). They can be mapped.
type Banks struct {
	Samples, Moves, Distances *ebpf.Map
}

// Banks returns the session's banks.
func (s *Session) Banks() Banks {
	return Banks{s.objs.SampleBanks, s.objs.MoveBanks, s.objs.CpuDistances}
}

// Boundary separates the sums of an aggregating session at a moment, CLOCK_MONOTONIC ns: sums of
// what happens from then on are kept apart, in the given bank, 0 or 1. The moment must be far
// enough ahead for every CPU to see it in time. last is the boundary before; 0 = there was none.
func (s *Session) Boundary(last, at uint64, bank uint32) error {
	err := s.objs.BoundaryBefore.Set(last)
	if err == nil {
		err = s.objs.Boundary.Set(at&^1 | uint64(bank))
	}
	if err != nil {
		return fmt.Errorf("set a boundary: %w", err)
	}
	s.fence.Add(1) // no clock is read before the other CPUs can see it
	return nil
}

// WindowBegins excludes wake-ups before a moment, CLOCK_MONOTONIC ns, from the windows of an
// aggregating session.
func (s *Session) WindowBegins(at uint64) error {
	if err := s.objs.WindowBegin.Set(at); err != nil {
		return fmt.Errorf("begin a window: %w", err)
	}
	return nil
}

// membarrierGlobal is MEMBARRIER_CMD_GLOBAL (include/uapi/linux/membarrier.h).
const membarrierGlobal = 1

// AwaitRuns returns when every run of a program at a switch has ended that began before the call:
// 10 to 30 ms later. Such runs have interrupts off, and membarrier waits until every CPU has had
// them on (kernel/sched/membarrier.c). A kernel that refuses it, as one with nohz_full does, is
// given the same time.
func (s *Session) AwaitRuns() {
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
		time.Sleep(30 * time.Millisecond)
	}
}

// LockProved reports that a lock was read from the target's memory that proves the offsets of
// locks. From then on the kernel side also trusts the lock of an M whose goroutine has exited. Such
// an M names no goroutine that could confirm the lock.
func (s *Session) LockProved() error {
	if err := s.objs.LockProved.Set(uint32(1)); err != nil {
		return fmt.Errorf("note that the lock's offsets are proved: %w", err)
	}
	return nil
}

// Snapshot lists the threads that live now. Each gets one struct snapshot (bpf/event.h), which is
// valid during the call only. A thread may be listed twice.
func (s *Session) Snapshot(each func(record []byte) error) error {
	if err := readSnapshot(s.snapshot, each); err != nil {
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

// A ThrottledCPU is a CPU on which no thread of the target may run at a moment, since its cgroup's
// quota of CPU time, or that of a cgroup above it, is used up.
type ThrottledCPU struct {
	CPU         uint16
	Time, Until uint64 // CLOCK_MONOTONIC ns: the moment, and the end of the quota's period
}

// Throttled lists the CPUs on which the target may not run now. moment is when the list was
// complete; 0 = the process has left the kernel's list of tasks.
func (s *Session) Throttled() (cpus []ThrottledCPU, moment uint64, err error) {
	err = s.throttled.read(int(unsafe.Sizeof(bpf.PinwatchThrottled{})), func(record []byte) (bool, error) {
		r := (*bpf.PinwatchThrottled)(unsafe.Pointer(unsafe.SliceData(record)))
		if r.Cpu == uint32(bpf.PinwatchThrottleNOT_THROTTLED) {
			moment = r.Time
			return true, nil
		}
		cpus = append(cpus, ThrottledCPU{CPU: uint16(r.Cpu), Time: r.Time, Until: r.Until})
		return false, nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list throttled CPUs: %w", err)
	}
	return cpus, moment, nil
}

// SnapshotRecord is the length of one record of a Snapshot in bytes.
const SnapshotRecord = int(unsafe.Sizeof(bpf.PinwatchSnapshot{}))

// Lost counts the records of each kind that found their ring buffer full since the session began. The
// index is the kernel's event kind.
func (s *Session) Lost() ([bpf.PinwatchEventKindKIND_COUNT]uint64, error) {
	var lost [bpf.PinwatchEventKindKIND_COUNT]uint64
	if err := s.objs.Lost.Get(&lost); err != nil {
		return lost, fmt.Errorf("read loss counters: %w", err)
	}
	return lost, nil
}

// Untracked counts the threads that have found no room for their state since the session began.
func (s *Session) Untracked() (threads uint64, err error) {
	if err := s.objs.Untracked.Get(&threads); err != nil {
		return 0, fmt.Errorf("read the number of threads without room: %w", err)
	}
	return threads, nil
}

// Hooks maps each hook to the way it is attached: a system call to Fentry, Tracepoint or Off, a
// tracepoint of the kernel to "tp_btf", PinProbe to "uprobe".
func (s *Session) Hooks() map[string]string { return s.hooks }

// Close removes everything from the kernel and closes the target.
func (s *Session) Close() error { return errors.Join(s.detach(), s.Target.Close()) }

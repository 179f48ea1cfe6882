package loader

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cilium/ebpf"

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
	// Throttles loads what Session.Throttled needs. The kernel verifies that for 0.1 s, which Attach
	// does not wait for.
	Throttles bool
	// Pins loads what Session.ProbePins needs.
	Pins bool
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
	*Shared
	*Member // the process

	Calibration    *Calibration // nil if not requested, or for this reason:
	CalibrationErr error

	calibrated []attachment // empty programs, until closing has them
	fence      atomic.Uint32
}

// Attach loads the programs and attaches them to target. The session owns target if Attach
// succeeds. On return all hooks are live.
func Attach(target *Target, cfg Config) (*Session, error) {
	switchHasState, err := probeKernel(target.types)
	if err != nil {
		return nil, err
	}
	shared := newShared(switchHasState)
	shared.withoutC = cfg.Runtime.withoutC()
	s := &Session{Shared: shared, Member: &Member{Target: target, shared: shared}}
	calibrated := make(chan struct{})
	go func() {
		defer close(calibrated)
		if cfg.Calibrate {
			s.Calibration, s.calibrated, s.CalibrationErr = calibrate(target.kernelTypes, cfg.Light)
		}
	}()
	err = s.load(cfg)
	<-calibrated
	if err != nil {
		return nil, errors.Join(err, closeAll(s.calibrated))
	}
	if cfg.Throttles {
		s.Shared.throttled = s.loaded.later(throttledProgram)
		go func() { _, _ = s.Shared.throttled.get() }() // Throttled has the error
	}
	if err := s.attach(cfg); err != nil {
		return nil, errors.Join(err, closeAll(s.calibrated), s.release())
	}
	s.closing = append(s.closing, closeLater(s.calibrated))
	target.types, target.spec = nil, nil
	s.forgetSources()
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
	k.TargetHints.ValueSize, k.TargetHints.Key, k.TargetHints.Value = 8, nil, nil // it is not used
	if err := errors.Join(
		set(setting{k.TargetTgid, s.Target.TGID}, setting{k.NsLevel, s.Target.level}),
		k.setRuntime(cfg.Runtime.info),
		s.setCommon(k, cfg),
	); err != nil {
		return err
	}
	if err := s.loadAll(k, s.Target.types, cfg.Light, cfg.Pins); err != nil {
		return err
	}
	if s.kernel, err = s.mapAlone(k.Alone); err == nil {
		s.cpus, err = mapped[bpf.PinwatchCpuSlot](&s.mapped, s.objs.CpuSlots)
	}
	if err != nil {
		return errors.Join(err, s.release())
	}
	return nil
}

func (s *Session) attach(cfg Config) error {
	if err := s.attachAll(func() error { return s.prepare(s.Target.threadsOnly()) }); err != nil {
		return err
	}
	return s.attachIterators()
}

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

func (s *Session) release() error { return errors.Join(s.Member.detach(), s.Shared.detach()) }

// Close removes everything from the kernel and closes the target.
func (s *Session) Close() error { return errors.Join(s.release(), s.Target.Close()) }

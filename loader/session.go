// Package loader brings the kernel side to life: it finds the process, loads and attaches the programs and hands back maps,
// answers and counters. It knows when hooks fire but not what any event means.
package loader

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// Config of a session. The zero value is useful.
type Config struct {
	// RingBytes is the size of all buffers together; 0 means what suits this machine.
	RingBytes int
	// MaxRate is how many switch records per second are let through at most; 0 = all. The others count as lost.
	MaxRate int
	// ThreadEntries is the size of the table of threads, a power of two; 0 means what suits any program. For tests.
	ThreadEntries int
	// Light leaves out every hook on a system call.
	Light bool
	// Aggregate has the kernel side add turns up instead of sending each.
	Aggregate bool
	// Calibrate has the machine measured while the programs are loaded: Session.Calibration.
	Calibrate bool
	// Slow makes programs slower than they are. For tests.
	Slow Slow
	// Runtime says where the target's Go runtime keeps what is read of it; nil: nothing is read.
	Runtime *goruntime.Info

	// refuse, for tests, says why a system call's function can't be attached to.
	refuse func(call string) error
}

// Session is one process being observed. Everything it has in the kernel hangs on its file descriptors and goes with them,
// however pinwatch ends.
type Session struct {
	Target  *Target
	Kernel  Kernel
	Buffers Buffers

	Calibration    *Calibration // nil where none was wanted, or why there is none:
	CalibrationErr error

	objs     objects
	loaded   *collection
	attached []attachment
	snapshot *link.Iter
	hooks    map[string]string
	noFentry map[string]error // by system call: why it has a tracepoint
	refuse   func(call string) error
	withoutC bool // the target is a Go program without C, which makes its threads by clone (runtime/sys_linux_*.s), never by clone3
	fence    atomic.Uint32
}

// Attach loads the programs and attaches them to target, which it takes over. On return all hooks are live.
func Attach(target *Target, cfg Config) (*Session, error) {
	kernel, err := probeKernel(target.types)
	if err != nil {
		return nil, err
	}
	s := &Session{Target: target, Kernel: kernel, hooks: map[string]string{}, noFentry: map[string]error{}, refuse: cfg.refuse,
		withoutC: cfg.Runtime != nil && cfg.Runtime.Unknown["CGO"] == nil && !cfg.Runtime.CGO}
	calibrated := make(chan struct{})
	go func() {
		defer close(calibrated)
		if cfg.Calibrate {
			s.Calibration, s.CalibrationErr = calibrate(target.types)
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
	target.types, target.spec, s.loaded.types, s.loaded.spec = nil, nil, nil, nil // several MiB, and nothing more is loaded
	return s, nil
}

func (s *Session) load(cfg Config) error {
	spec := s.Target.spec.Copy()
	variables, err := runtimeVariables(cfg.Runtime)
	if err != nil {
		return err
	}
	variables["target_tgid"] = s.Target.TGID
	variables["light"] = cfg.Light
	variables["ns_level"] = s.Target.level
	variables["switch_has_state"] = s.Kernel.SwitchHasState
	if s.Buffers, err = sizeBuffers(cfg.RingBytes, cfg.Aggregate); err != nil {
		return err
	}
	cfg.Slow.set(variables)
	limitRate(variables, cfg.MaxRate, s.Buffers.CPUs)
	sizeMaps(spec, variables, s.Buffers, cmp.Or(cfg.ThreadEntries, threadEntries))
	if cfg.Aggregate {
		sizeBanks(spec, variables, s.Buffers.CPUs)
	}
	for name, value := range variables {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	if s.loaded, err = load(spec, s.Target.types, &s.objs); err != nil {
		return explainLoad("load BPF programs", err)
	}
	return nil
}

// Ring is the ring buffer that all records but switches arrive in.
func (s *Session) Ring() *ebpf.Map { return s.objs.Ring }

// Turns are the rings that switch records arrive in, one per CPU, and CPUSlots how far each is written and read (bpf/maps.h). Both
// can be mapped.
func (s *Session) Turns() *ebpf.Map    { return s.objs.Turns }
func (s *Session) CPUSlots() *ebpf.Map { return s.objs.CpuSlots }

// SampleBanks and MoveBanks are what an aggregating session adds up by CPU (bpf/maps.h). Both can be mapped.
func (s *Session) SampleBanks() *ebpf.Map { return s.objs.SampleBanks }
func (s *Session) MoveBanks() *ebpf.Map   { return s.objs.MoveBanks }

// Boundary has an aggregating session keep what comes from a moment on, CLOCK_MONOTONIC ns, apart from what was before, and add it up in
// that bank, 0 or 1. The moment must be far enough ahead for every CPU to see it in time. last is the boundary before, 0 = there was none.
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

// WindowBegins tells an aggregating session that wakings before a moment, CLOCK_MONOTONIC ns, are no window's.
func (s *Session) WindowBegins(at uint64) error {
	if err := s.objs.WindowBegin.Set(at); err != nil {
		return fmt.Errorf("begin a window: %w", err)
	}
	return nil
}

// Snapshot asks the kernel for the threads that live now: one struct snapshot each (bpf/event.h), back to back.
func (s *Session) Snapshot() ([]byte, error) {
	records, err := openIterator(s.snapshot)
	if err != nil {
		return nil, fmt.Errorf("list threads: %w", err)
	}
	return records, nil
}

// SnapshotRecord is the length of one record of a Snapshot in bytes.
const SnapshotRecord = int(unsafe.Sizeof(bpf.PinwatchSnapshot{}))

// Lost reads how many records of each kind have found the ring buffer full since the session began; the index is the
// kernel's event kind.
func (s *Session) Lost() ([bpf.PinwatchEventKindKIND_COUNT]uint64, error) {
	var lost [bpf.PinwatchEventKindKIND_COUNT]uint64
	if err := s.objs.Lost.Get(&lost); err != nil {
		return lost, fmt.Errorf("read loss counters: %w", err)
	}
	return lost, nil
}

// Hooks says how each hook is attached: system calls by Fentry, Tracepoint or Off, the kernel's own tracepoints by "tp_btf".
func (s *Session) Hooks() map[string]string { return s.hooks }

// Close takes everything out of the kernel and lets go of the process.
func (s *Session) Close() error { return errors.Join(s.detach(), s.Target.Close()) }

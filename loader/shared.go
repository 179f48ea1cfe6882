package loader

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Shared is what the targets of an observation have in common: the programs, where they are
// attached, and the buffers.
type Shared struct {
	Buffers Buffers
	Room    Room

	switchHasState bool
	many           bool // it is a Group's
	objs           objects
	loaded         *collection
	pin            *ebpf.Program
	attached       []attachment
	hooks          map[string]string
	noFentry       map[string]error // by system call: why it has a tracepoint
	mapped         mappings
	throttled      *later         // lists throttled CPUs; nil: a Session without Config.Throttles
	closing        []<-chan error // of what is being detached

	asking   sync.Mutex // held while an iterator runs that depends on variables
	ordering sync.Mutex // held while an order is carried out

	// The target is a Go program without C. It makes its threads by clone
	// (runtime/sys_linux_*.s), never by clone3, which is then not hooked.
	withoutC bool
}

func newShared(switchHasState bool) *Shared {
	return &Shared{switchHasState: switchHasState, hooks: map[string]string{}, noFentry: map[string]error{}}
}

// setCommon sets the constants that do not depend on a target.
func (s *Shared) setCommon(k *kernelSide, cfg Config) error {
	return errors.Join(
		set(setting{k.Light, cfg.Light}, setting{k.SwitchHasState, s.switchHasState}),
		k.setSlow(cfg.Slow),
		k.setRate(cfg.MaxRate, s.Buffers.cpus),
		k.setSizes(s.Buffers, cfg.Aggregate, s.Room),
		k.setDelays(s.Buffers.possible, cfg.Isolated),
	)
}

// loadAll loads the maps, and the programs with which the observation begins. also are more of them.
func (s *Shared) loadAll(k *kernelSide, types *btf.Cache, light, pins bool, also ...string) error {
	loaded, filled, err := load(k, types, &s.objs)
	if err != nil {
		return explainLoad("load BPF programs", err)
	}
	s.loaded = loaded
	if pins {
		also = append(also, k.PwPin.Name)
	}
	err = cmp.Or(s.loadPrograms(light, also), <-filled)
	if err != nil {
		s.loaded.Close()
	}
	return err
}

func (s *Shared) loadPrograms(light bool, also []string) error {
	k := s.loaded.source
	switch {
	case light:
		for _, call := range syscalls() {
			s.hooks[call] = Off
		}
	case s.withoutC:
		// Linux 6.1 has two types of clone3's function, and its tracepoint alone would slow every system
		// call. Where all are tracepoints, two more delay the end by four grace periods, and the kernel
		// verifies this call's program for as long as all others together.
		s.hooks["clone3"] = Off
	}
	calls := make(chan error, 1)
	go func() { calls <- s.loadSyscalls() }()
	programs := append([]string{k.PwSwitch.Name}, also...) // the kernel verifies that one for longest
	for _, p := range append(kernelPrograms(&k.PinwatchProgramSpecs), k.PwSnapshot, k.PwPrepare) {
		if p != k.PwSwitch {
			programs = append(programs, p.Name)
		}
	}
	err := s.loaded.add(programs...)
	if err != nil {
		err = explainLoad("load BPF programs", err)
	}
	err = cmp.Or(err, <-calls)
	s.pin = s.loaded.Programs[k.PwPin.Name]
	return err
}

// forgetSources releases several MiB: no further program is loaded.
func (s *Shared) forgetSources() { s.loaded.types, s.loaded.source = nil, nil }

// Rings are the ring buffers of all records but switches. Neighbouring CPUs share one.
func (s *Shared) Rings() []*ebpf.Map { return s.loaded.rings }

// Turns holds the rings of switch records, one for each CPU up to the last one that was online. It
// can be mapped.
func (s *Shared) Turns() *ebpf.Map { return s.objs.Turns }

// CPUSlots holds the positions at which each CPU's ring of turns is written and read (bpf/maps.h).
// It can be mapped.
func (s *Shared) CPUSlots() *ebpf.Map { return s.objs.CpuSlots }

// membarrierGlobal is MEMBARRIER_CMD_GLOBAL (include/uapi/linux/membarrier.h).
const membarrierGlobal = 1

// AwaitRuns returns when every run of a program at a switch has ended that began before the call:
// 10 to 30 ms later. Such runs have interrupts off, and membarrier waits until every CPU has had
// them on (kernel/sched/membarrier.c). A kernel that refuses it, as one with nohz_full does, is
// given the same time.
func (s *Shared) AwaitRuns() {
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
		time.Sleep(30 * time.Millisecond)
	}
}

// Hooks maps each hook to the way it is attached: a system call to Fentry, Tracepoint or Off, a
// tracepoint of the kernel to "tp_btf", PinProbe to "uprobe".
func (s *Shared) Hooks() map[string]string { return s.hooks }

func (s *Shared) detach() error {
	err := errors.Join(closeAll(s.attached), s.mapped.Close(), s.throttled.Close())
	for _, closed := range s.closing {
		err = errors.Join(err, <-closed)
	}
	s.loaded.Close()
	s.attached, s.closing, s.throttled = nil, nil, nil
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

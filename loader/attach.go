package loader

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pinwatch/pinwatch/bpf"
)

// A hook is a program and the place where it runs, by the name that reports use.
type hook struct {
	name string
	prog *ebpf.Program
}

// An attachment is an attached hook. Closing it detaches the program.
type attachment struct {
	hook
	io.Closer
}

// kernelPrograms run on the kernel's BTF tracepoints (tp_btf). Only threads that pass there pay.
func kernelPrograms(p *bpf.PinwatchProgramSpecs) []*ebpf.ProgramSpec {
	return []*ebpf.ProgramSpec{
		p.PwNewtask,
		p.PwExec,
		p.PwProcessExit,
		p.PwSwitch, // after these three, see attach
		p.PwWaking,
		p.PwWakeupNew,
		p.PwMigrate,
		p.PwProcessFree,
		p.PwGenerate,
		p.PwDeliver,
	}
}

func (s *Session) attach(cfg Config) error {
	k := s.loaded.source
	for _, p := range kernelPrograms(&k.PinwatchProgramSpecs) {
		// Now new threads get their state at task_newtask, and ends are seen. Living threads get
		// their state here.
		if p == k.PwSwitch {
			if err := s.prepare(s.loaded.Programs[k.PwPrepare.Name], s.Target.threadsOnly()); err != nil {
				return explainAttach("prepare the threads' state", err)
			}
		}
		h := hook{name: p.AttachTo, prog: s.loaded.Programs[p.Name]}
		l, err := link.AttachTracing(link.TracingOptions{Program: h.prog})
		if err != nil {
			return explainAttach("attach "+h.name, err)
		}
		s.attached = append(s.attached, attachment{h, l})
		s.hooks[h.name] = btfTracepoint
	}
	if cfg.Light {
		for _, call := range syscalls() {
			s.hooks[call] = Off
		}
	} else if err := s.attachSyscalls(); err != nil {
		return err
	}
	s.pin = s.loaded.Programs[k.PwPin.Name]
	var err error
	s.snapshot, err = attachTasks(s.loaded.Programs[k.PwSnapshot.Name], s.Target.threadsOnly())
	if err != nil {
		return explainAttach("attach thread iterator", err)
	}
	s.throttled, err = attachTasks(s.loaded.Programs[k.PwThrottled.Name], s.Target.leaderOnly())
	if err != nil {
		return explainAttach("attach throttle iterator", err)
	}
	return nil
}

// prepare makes the state of every thread that lives, or counts the thread as one without.
func (s *Session) prepare(prog *ebpf.Program, filter taskFilter) error {
	tasks, err := attachTasks(prog, filter)
	if err != nil {
		return err
	}
	tasks.again = func() error { return s.objs.Untracked.Set(uint64(0)) } // all are counted again
	err = tasks.read(1, func(last []byte) (bool, error) { return last[0] != 0, nil })
	return errors.Join(err, tasks.Close())
}

// closeAll closes in parallel: each close waits for a grace period of the kernel.
func closeAll(attached []attachment) error {
	var wg sync.WaitGroup
	errs := make([]error, len(attached))
	for i, a := range attached {
		wg.Go(func() { errs[i] = a.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *Session) detach() error {
	err := closeAll(s.attached)
	for _, iterator := range []*tasks{s.snapshot, s.throttled} {
		if iterator != nil {
			err = errors.Join(err, iterator.Close())
		}
	}
	s.loaded.Close()
	s.attached, s.snapshot, s.throttled = nil, nil, nil
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

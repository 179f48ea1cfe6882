package loader

import (
	"errors"
	"io"
	"slices"
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

// attachAll attaches every hook. prepare makes the state of the threads that live already.
func (s *Shared) attachAll(prepare func() error) error {
	k := s.loaded.source
	for _, p := range kernelPrograms(&k.PinwatchProgramSpecs) {
		// Now new threads get their state at task_newtask, and ends are seen. Living threads get
		// their state here.
		if p == k.PwSwitch {
			if err := prepare(); err != nil {
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
	return s.attachSyscalls()
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

// TargetEnded begins to detach what only a living process passes: the programs on system calls. Where
// these are on tracepoints, the kernel detaches one after the other, and waits for two grace periods
// for each (kernel/trace/trace_event_perf.c, perf_trace_event_unreg).
func (s *Shared) TargetEnded() {
	calls := syscallHookNames()
	var ended []attachment
	s.attached = slices.DeleteFunc(s.attached, func(a attachment) bool {
		onCall := calls[a.name]
		if onCall {
			ended = append(ended, a)
		}
		return onCall
	})
	s.closing = append(s.closing, closeLater(ended))
}

// closeLater closes in the background.
func closeLater(attached []attachment) <-chan error {
	closed := make(chan error, 1)
	go func() { closed <- closeAll(attached) }()
	return closed
}

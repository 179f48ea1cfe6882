package loader

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// A hook joins a program to where it runs, by the name that reports use.
type hook struct {
	name string
	prog *ebpf.Program
}

// An attachment is a hook in use; closing it ends that.
type attachment struct {
	hook
	io.Closer
}

// kernelHooks are the kernel's own tracepoints (tp_btf), which cost only whoever fires them.
func kernelHooks(p *programs) []hook {
	return []hook{
		{"task_newtask", p.PwNewtask}, // first, see attach
		{"sched_switch", p.PwSwitch},
		{"sched_waking", p.PwWaking},
		{"sched_wakeup_new", p.PwWakeupNew},
		{"sched_migrate_task", p.PwMigrate},
		{"sched_process_exit", p.PwProcessExit},
		{"sched_process_free", p.PwProcessFree},
		{"sched_process_exec", p.PwExec},
		{"signal_generate", p.PwGenerate},
		{"signal_deliver", p.PwDeliver},
	}
}

func (s *Session) attach(cfg Config) error {
	for i, h := range kernelHooks(&s.objs.programs) {
		if i == 1 { // threads to come get their state at task_newtask; those that live get it now
			if _, err := readIterator(s.objs.PwPrepare); err != nil {
				return explainAttach("prepare the threads' state", err)
			}
		}
		l, err := link.AttachTracing(link.TracingOptions{Program: h.prog})
		if err != nil {
			return explainAttach("attach "+h.name, err)
		}
		s.attached = append(s.attached, attachment{h, l})
		s.hooks[h.name] = "tp_btf"
	}
	if cfg.Light {
		for _, call := range syscalls() {
			s.hooks[call] = Off
		}
	} else if err := s.attachSyscalls(); err != nil {
		return err
	}
	var err error
	if s.snapshot, err = link.AttachIter(link.IterOptions{Program: s.objs.PwSnapshot}); err != nil {
		return explainAttach("attach thread iterator", err)
	}
	return nil
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
	if s.snapshot != nil {
		err = errors.Join(err, s.snapshot.Close())
	}
	s.loaded.Close()
	s.attached, s.snapshot = nil, nil
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

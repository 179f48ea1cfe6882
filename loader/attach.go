package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

const perfAttrSize = unsafe.Sizeof(unix.PerfEventAttr{})

// A hook joins a program to where it runs. Family is the name reports use. Every system call's hook makes every process of the
// machine take the slow path into the kernel; the others cost only whoever fires them.
type hook struct {
	family  string
	prog    *ebpf.Program
	syscall string // name of the classic tracepoint in events/syscalls; empty: a BTF tracepoint, which the program names itself
}

func hooks(p *bpf.PinwatchPrograms) []hook {
	return []hook{
		{"task_newtask", p.PwNewtask, ""}, // first, see attach
		{"sched_switch", p.PwSwitch, ""},
		{"sched_waking", p.PwWaking, ""},
		{"sched_wakeup_new", p.PwWakeupNew, ""},
		{"sched_migrate_task", p.PwMigrate, ""},
		{"sched_process_exit", p.PwProcessExit, ""},
		{"sched_process_free", p.PwProcessFree, ""},
		{"sched_process_exec", p.PwExec, ""},
		{"signal_generate", p.PwGenerate, ""},
		{"signal_deliver", p.PwDeliver, ""},
		{"clone", p.PwCloneEnter, "sys_enter_clone"},
		{"clone", p.PwCloneExit, "sys_exit_clone"},
		{"clone3", p.PwClone3Enter, "sys_enter_clone3"},
		{"clone3", p.PwClone3Exit, "sys_exit_clone3"},
		{"exit", p.PwExitEnter, "sys_enter_exit"},
		{"tgkill", p.PwTgkillEnter, "sys_enter_tgkill"},
		{"tgkill", p.PwTgkillExit, "sys_exit_tgkill"},
		{"rt_sigreturn", p.PwSigreturn, "sys_enter_rt_sigreturn"},
		{"rt_sigprocmask", p.PwSigmask, "sys_enter_rt_sigprocmask"},
		{"sigaltstack", p.PwSigaltstack, "sys_enter_sigaltstack"},
	}
}

func (s *Session) attach() error {
	tracefs, err := openTracefs()
	if err != nil {
		return explainAttach("find the system calls' tracepoints", err)
	}
	defer tracefs.Close()
	for i, h := range hooks(&s.objs.PinwatchPrograms) {
		if i == 1 { // threads to come get their state at task_newtask; those that live get it now
			if _, err := readIterator(s.objs.PwPrepare); err != nil {
				return explainAttach("prepare the threads' state", err)
			}
		}
		if h.syscall == "" {
			s.hooks[h.family] = "tp_btf"
			l, err := link.AttachTracing(link.TracingOptions{Program: h.prog})
			if err != nil {
				return explainAttach("attach "+h.family, err)
			}
			s.links = append(s.links, l)
		} else {
			id, err := tracepointID(tracefs, h.syscall)
			if errors.Is(err, fs.ErrNotExist) && !locked() {
				return &UnsupportedError{What: "tracepoint syscalls/" + h.syscall, Min: "CONFIG_FTRACE_SYSCALLS=y", Err: err}
			} else if err != nil {
				return explainAttach("attach "+h.syscall, err)
			}
			fd, err := attachTracepoint(id, h.prog.FD())
			if err != nil {
				return explainAttach("attach "+h.syscall, err)
			}
			s.perfFDs = append(s.perfFDs, fd)
			s.hooks[h.family] = "tracepoint"
		}
	}
	s.snapshot, err = link.AttachIter(link.IterOptions{Program: s.objs.PwSnapshot})
	if err != nil {
		return explainAttach("attach thread iterator", err)
	}
	return nil
}

// detach closes everything in parallel: each close waits for a grace period of the kernel.
func (s *Session) detach() error {
	var wg sync.WaitGroup
	errs := make([]error, len(s.links)+len(s.perfFDs))
	for i, l := range s.links {
		wg.Go(func() { errs[i] = l.Close() })
	}
	for i, fd := range s.perfFDs {
		wg.Go(func() { errs[len(s.links)+i] = unix.Close(fd) })
	}
	wg.Wait()
	if s.snapshot != nil {
		errs = append(errs, s.snapshot.Close())
	}
	s.links, s.perfFDs, s.snapshot = nil, nil, nil
	if err := errors.Join(append(errs, s.objs.Close())...); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

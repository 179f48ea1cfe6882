package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// How a system call is watched, in reports.
const (
	Fentry     = "fentry"     // on its own function: nobody else's calls are slower
	Tracepoint = "tracepoint" // classic: while one is attached, every system call of every process is slower
	Off        = "off"        // not at all: Config.Light
)

// A syscallHook is one end of a system call. Both ends of a call are watched in the same way.
type syscallHook struct {
	call string
	exit bool
}

var syscallHooks = []syscallHook{
	{"clone", false}, {"clone", true},
	{"clone3", false}, {"clone3", true},
	{"exit", false},
	{"tgkill", false}, {"tgkill", true},
	{"rt_sigreturn", false},
	{"rt_sigprocmask", false},
	{"sigaltstack", false},
}

// end is what the kernel calls that end.
func (h syscallHook) end() string {
	if h.exit {
		return "exit"
	}
	return "enter"
}

// tracepoint is the classic one's name, which is also the hook's in reports, however it is attached.
func (h syscallHook) tracepoint() string { return "sys_" + h.end() + "_" + h.call }

// Names of the two programs (bpf/syscall.h).
func (h syscallHook) tracepointProgram() string { return "pw_" + h.call + "_" + h.end() }

func (h syscallHook) functionProgram() string {
	if h.exit {
		return "pw_" + h.call + "_fexit"
	}
	return "pw_" + h.call + "_fentry"
}

// syscalls are those of syscallHooks, each once.
func syscalls() (names []string) {
	for _, h := range syscallHooks {
		if !h.exit {
			names = append(names, h.call)
		}
	}
	return names
}

// hooksOn are both ends of these calls, as far as they are watched.
func hooksOn(calls []string) (hooks []syscallHook) {
	for _, h := range syscallHooks {
		if slices.Contains(calls, h.call) {
			hooks = append(hooks, h)
		}
	}
	return hooks
}

// attachSyscalls watches each system call by its function where the kernel lets it, the others by tracepoints.
func (s *Session) attachSyscalls() error {
	if err := s.attachFunctions(); err != nil {
		return err
	}
	rest := s.syscallsBy("")
	if s.withoutC && slices.Equal(rest, []string{"clone3"}) { // 6.1 has two types of its function, and it alone would slow everybody
		s.hooks["clone3"], rest = Off, nil
	}
	if len(rest) == 0 {
		return nil
	}
	return s.attachTracepoints(rest)
}

// attachFunctions attaches to the functions of as many system calls as it can, and notes what hinders it at the others. An error is about
// what may be left behind.
func (s *Session) attachFunctions() error {
	types, err := kernelTypes(s.Target.types)
	if err != nil {
		return err
	}
	var calls []string
	for _, call := range syscalls() {
		if err := s.haveFunction(types, call); err != nil {
			s.noFentry[call] = err
		} else {
			calls = append(calls, call)
		}
	}
	var programs []string
	for _, h := range hooksOn(calls) {
		programs = append(programs, h.functionProgram())
	}
	if err := s.loaded.add(programs); err != nil {
		if errors.Is(err, unix.EPERM) {
			err = unix.EPERM // without the guesses of the library that loads
		}
		for _, call := range calls {
			s.noFentry[call] = fmt.Errorf("load programs for the kernel's functions: %w", err)
		}
		return nil
	}
	for _, call := range calls {
		if err := s.attachFunction(call); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) haveFunction(types *btf.Spec, call string) error {
	if s.refuse != nil {
		if err := s.refuse(call); err != nil {
			return err
		}
	}
	for _, h := range hooksOn([]string{call}) {
		name := s.loaded.spec.Programs[h.functionProgram()].AttachTo
		var function *btf.Func
		if err := types.TypeByName(name, &function); err != nil {
			return fmt.Errorf("find the kernel's function %s: %w", name, err)
		}
	}
	return nil
}

// attachFunction attaches to all ends of a call or, where the kernel refuses one, to none.
func (s *Session) attachFunction(call string) error {
	var ends []attachment
	for _, h := range hooksOn([]string{call}) {
		prog := s.loaded.Programs[h.functionProgram()]
		l, err := link.AttachTracing(link.TracingOptions{Program: prog})
		if err != nil {
			s.noFentry[call] = fmt.Errorf("attach %s: %w", h.functionProgram(), err)
			return closeAll(ends)
		}
		ends = append(ends, attachment{hook{h.tracepoint(), prog}, l})
	}
	s.attached = append(s.attached, ends...)
	s.hooks[call] = Fentry
	return nil
}

func (s *Session) attachTracepoints(calls []string) error {
	tracefs, err := openTracefs()
	if err != nil {
		return explainAttach("find the system calls' tracepoints", err)
	}
	defer tracefs.Close()
	var programs []string
	for _, h := range hooksOn(calls) {
		programs = append(programs, h.tracepointProgram())
	}
	if err := s.loaded.add(programs); err != nil {
		return explainLoad("load BPF programs", err)
	}
	for _, h := range hooksOn(calls) {
		id, err := tracepointID(tracefs, h.tracepoint())
		if errors.Is(err, fs.ErrNotExist) && !locked() {
			return &UnsupportedError{What: "tracepoint syscalls/" + h.tracepoint(), Min: "CONFIG_FTRACE_SYSCALLS=y", Err: err}
		} else if err != nil {
			return explainAttach("attach "+h.tracepoint(), err)
		}
		prog := s.loaded.Programs[h.tracepointProgram()]
		event, err := attachTracepoint(id, prog.FD())
		if err != nil {
			return explainAttach("attach "+h.tracepoint(), err)
		}
		s.attached = append(s.attached, attachment{hook{h.tracepoint(), prog}, event})
		s.hooks[h.call] = Tracepoint
	}
	return nil
}

// syscallsBy are the system calls that are watched in that way.
func (s *Session) syscallsBy(how string) (calls []string) {
	for _, call := range syscalls() {
		if s.hooks[call] == how {
			calls = append(calls, call)
		}
	}
	return calls
}

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Ways in which a system call is hooked, in reports.
const (
	Fentry     = "fentry"     // on the call's function: no other call is slower
	Tracepoint = "tracepoint" // classic: while one is attached, every system call of every process is slower
	Off        = "off"        // not at all: Config.Light

	btfTracepoint = "tp_btf" // not for system calls: a tracepoint of the kernel
)

// A syscallHook is one end of a system call, its enter or its exit. Both are hooked in the same
// way.
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

// end is the kernel's name for that end.
func (h syscallHook) end() string {
	if h.exit {
		return "exit"
	}
	return "enter"
}

// tracepoint is the name of the classic tracepoint, and of the hook in reports however it is
// attached.
func (h syscallHook) tracepoint() string { return "sys_" + h.end() + "_" + h.call }

// tracepointProgram and functionProgram are the names that bpf/syscall.h gives the two programs.
func (h syscallHook) tracepointProgram() string { return "pw_" + h.call + "_" + h.end() }

func (h syscallHook) functionProgram() string {
	if h.exit {
		return "pw_" + h.call + "_fexit"
	}
	return "pw_" + h.call + "_fentry"
}

// syscalls lists the calls of syscallHooks, each once.
func syscalls() (names []string) {
	for _, h := range syscallHooks {
		if !h.exit {
			names = append(names, h.call)
		}
	}
	return names
}

// syscallHookNames has the hooks' names.
func syscallHookNames() map[string]bool {
	names := map[string]bool{}
	for _, h := range syscallHooks {
		names[h.tracepoint()] = true
	}
	return names
}

// hooksOn lists the hooks of these calls.
func hooksOn(calls []string) (hooks []syscallHook) {
	for _, h := range syscallHooks {
		if slices.Contains(calls, h.call) {
			hooks = append(hooks, h)
		}
	}
	return hooks
}

// attachSyscalls hooks each system call by its function if the kernel permits it, otherwise by
// tracepoints.
func (s *Shared) attachSyscalls() error {
	if err := s.attachFunctions(); err != nil {
		return err
	}
	rest := s.syscallsBy("")
	if len(rest) == 0 {
		return nil
	}
	return s.attachTracepoints(rest)
}

// loadSyscalls loads the programs on the functions of as many system calls as possible, and notes the
// reason for the others in noFentry. Those get the programs on their tracepoints.
func (s *Shared) loadSyscalls() error {
	types, err := kernelTypes(s.loaded.types)
	if err != nil {
		return err
	}
	var calls []string
	for _, call := range s.syscallsBy("") {
		if err := s.haveFunction(types, call); err != nil {
			s.noFentry[call] = err
		} else {
			calls = append(calls, call)
		}
	}
	if err := s.loadFunctions(hooksOn(calls)); err != nil {
		if errors.Is(err, unix.EPERM) {
			err = unix.EPERM // without the library's guesses at the reason
		}
		for _, call := range calls {
			s.noFentry[call] = fmt.Errorf("load programs for the kernel's functions: %w", err)
		}
	}
	return s.loadTracepoints(hooksOn(slices.Collect(maps.Keys(s.noFentry))))
}

// loadFunctions loads one program first: the kernel refuses none or all.
func (s *Shared) loadFunctions(hooks []syscallHook) error {
	var programs []string
	for _, h := range hooks {
		programs = append(programs, h.functionProgram())
	}
	if len(programs) == 0 {
		return nil
	}
	if err := s.loaded.add(programs[0]); err != nil {
		return err
	}
	return s.loaded.add(programs[1:]...)
}

func (s *Shared) loadTracepoints(hooks []syscallHook) error {
	var programs []string
	for _, h := range hooks {
		programs = append(programs, h.tracepointProgram())
	}
	if err := s.loaded.add(programs...); err != nil {
		return explainLoad("load BPF programs", err)
	}
	return nil
}

// attachFunctions attaches to the functions of the system calls that have programs for that. An error
// means that something may still be attached.
func (s *Shared) attachFunctions() error {
	for _, call := range s.syscallsBy("") {
		if s.noFentry[call] != nil {
			continue
		}
		if err := s.attachFunction(call); err != nil {
			return err
		}
	}
	return nil
}

// haveFunction returns an error if the kernel's types lack the function of a call, or have several.
func (s *Shared) haveFunction(types *btf.Spec, call string) error {
	for _, h := range hooksOn([]string{call}) {
		name := s.loaded.source.Programs[h.functionProgram()].AttachTo
		var function *btf.Func
		if err := types.TypeByName(name, &function); err != nil {
			return fmt.Errorf("find the kernel's function %s: %w", name, err)
		}
	}
	return nil
}

// attachFunction attaches to both ends of a call or, if the kernel refuses one, to none. Then it loads
// the programs on its tracepoints.
func (s *Shared) attachFunction(call string) error {
	var ends []attachment
	for _, h := range hooksOn([]string{call}) {
		prog := s.loaded.Programs[h.functionProgram()]
		l, err := link.AttachTracing(link.TracingOptions{Program: prog})
		if err != nil {
			s.noFentry[call] = fmt.Errorf("attach %s: %w", h.functionProgram(), err)
			return errors.Join(closeAll(ends), s.loadTracepoints(hooksOn([]string{call})))
		}
		ends = append(ends, attachment{hook{h.tracepoint(), prog}, l})
	}
	s.attached = append(s.attached, ends...)
	s.hooks[call] = Fentry
	return nil
}

func (s *Shared) attachTracepoints(calls []string) error {
	tracefs, err := openTracefs()
	if err != nil {
		return explainAttach("find the system calls' tracepoints", err)
	}
	defer tracefs.Close()
	for _, h := range hooksOn(calls) {
		id, err := tracepointID(tracefs, h.tracepoint())
		if errors.Is(err, fs.ErrNotExist) && !lockedDown() {
			return &unsupportedError{
				what: "tracepoint syscalls/" + h.tracepoint(), min: "CONFIG_FTRACE_SYSCALLS=y", err: err,
			}
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

// syscallsBy lists the system calls that are hooked in that way; "": not yet.
func (s *Shared) syscallsBy(how string) (calls []string) {
	for _, call := range syscalls() {
		if s.hooks[call] == how {
			calls = append(calls, call)
		}
	}
	return calls
}

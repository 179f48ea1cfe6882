package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/capability"
)

// Check is one thing that this machine allows or not.
type Check struct {
	Name   string
	State  State
	Detail string // what was found
	Effect string // what pinwatch does without it; "" when it has it
	Remedy string // what would allow it; "" when it has it
}

// State of a Check.
type State string

const (
	Yes     State = "yes"
	No      State = "no"      // pinwatch cannot observe
	Without State = "without" // pinwatch does without, as Effect says
	Unknown State = "unknown" // could not be found out
)

// Diagnose tries everything an observation needs, each thing by itself and at last the whole, on this very process. Nothing is
// left behind.
func Diagnose() []Check {
	checks := []Check{checkKernel()}
	for _, c := range []struct {
		cap    capability.Cap
		needed bool
		effect string
	}{
		{capability.BPF, true, "no program can be loaded"},
		{capability.Perfmon, true, "no program can be attached"},
		{capability.DACReadSearch, false, "tracefs and other users' executables can't be read unless their modes let this user"},
		{capability.SysPtrace, false, "other users' processes are observed from the kernel side only"},
		{capability.SysAdmin, false, "what the programs cost is not known, and tracefs must be mounted"},
	} {
		checks = append(checks, checkCapability(c.cap, c.needed, c.effect))
	}
	attach, s := checkAttach()
	return append(checks, checkLockdown(), checkJIT(), checkBTF(), checkFentry(s), checkTracefs(s), checkPrevState(), checkStats(), attach)
}

func checkKernel() Check {
	c := Check{Name: "kernel 5.10 or newer", State: Unknown}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		c.Detail = err.Error()
		return c
	}
	c.Detail = unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(c.Detail, "%d.%d", &major, &minor); err != nil {
		return c
	}
	if c.State = Yes; major < 5 || major == 5 && minor < 10 {
		c.State, c.Effect, c.Remedy = No, "never tried there", "boot Linux 5.10 or newer"
	}
	return c
}

func checkCapability(want capability.Cap, needed bool, effect string) Check {
	c := Check{Name: want.String(), State: Yes, Detail: "held"}
	has, err := capability.Has(want)
	switch {
	case err != nil:
		c.State, c.Detail = Unknown, err.Error()
	case !has:
		c.State, c.Detail, c.Effect = Without, "missing", effect
		if needed {
			c.State = No
		}
		c.Remedy = "run it with sudo, or: sudo setcap " + strings.ToLower(want.String()) + "+ep …/pinwatch"
	}
	return c
}

func checkLockdown() Check {
	c := Check{Name: "kernel lockdown", State: Yes}
	level, err := capability.Lockdown()
	c.Detail = level
	switch {
	case level == capability.LockdownConfidentiality:
		c.State, c.Effect, c.Remedy = No, "the kernel forbids tracing", "boot with lockdown=integrity or without lockdown"
	case level == capability.LockdownUnknown:
		c.State, c.Detail = Unknown, "not told; the attempt to attach, below, decides"
	case err != nil:
		c.Detail = fmt.Sprintf("%s, %v", level, err)
	}
	return c
}

func checkJIT() Check {
	c := Check{Name: "BPF compiled to machine code", State: Unknown}
	const file = "/proc/sys/net/core/bpf_jit_enable"
	b, err := os.ReadFile(file)
	c.Detail = file + " = " + strings.TrimSpace(string(b))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		c.Detail = file + " is not readable"
	case strings.TrimSpace(string(b)) == "0":
		c.State, c.Effect, c.Remedy = Without, "programs are interpreted and cost several times more", "sudo sysctl net.core.bpf_jit_enable=1"
	case err == nil:
		c.State = Yes
	}
	return c
}

// fromError turns what a probe answered into a state: unsupported and refused are told apart.
func fromError(c Check, ok string, err error, bad State) Check {
	var unsupported *UnsupportedError
	var refused *PermissionError
	switch {
	case err == nil:
		c.State, c.Detail = Yes, ok
		return c
	case errors.As(err, &unsupported):
		c.Remedy = "a kernel with it: " + unsupported.Min
	case errors.As(err, &refused) && len(refused.Missing) > 0:
		c.Remedy = "sudo, or setcap with " + strings.Join(refused.Missing, ", ")
	case errors.Is(err, fs.ErrPermission):
		c.Remedy = "sudo"
	}
	c.State, c.Detail = bad, err.Error()
	return c
}

func checkBTF() Check {
	_, err := kernelTypes(btf.NewCache())
	return fromError(Check{Name: "kernel type information (BTF)", Effect: effectUnless(err, "programs can't be fitted to this kernel")}, "/sys/kernel/btf/vmlinux", err, No)
}

// checkFentry says how an observation, which is over by now, watched system calls; s is nil where there was none.
func checkFentry(s *Session) Check {
	c := Check{Name: "system calls watched by fentry", State: Unknown, Detail: "nothing could be attached"}
	if s == nil {
		return c
	}
	fentry, others, why := s.syscallsBy(Fentry), s.syscallsBy(Tracepoint), error(nil)
	if len(others) == 0 {
		c.State, c.Detail = Yes, strings.Join(fentry, ", ")
		return c
	}
	c.State, why = Without, s.noFentry[others[0]]
	c.Detail = strings.Join(others, ", ") + " have tracepoints: " + why.Error()
	if len(fentry) > 0 {
		c.Detail += "; by fentry: " + strings.Join(fentry, ", ")
	}
	c.Effect = "while attached, every system call of every process is slower (README: what it costs)"
	c.Remedy = "--light, which watches no system call; or a kernel that allows fentry"
	return c
}

func checkTracefs(s *Session) Check {
	c := Check{Name: "system-call tracepoints"}
	bad := No
	if s != nil && len(s.syscallsBy(Tracepoint)) == 0 {
		bad = Without
	}
	dir, err := openTracefs()
	if err == nil {
		defer dir.Close()
		_, err = tracepointID(dir, "sys_enter_clone")
	}
	c.Effect = effectUnless(err, "threads' system calls are not seen")
	if bad == Without {
		c.Effect = effectUnless(err, "none: fentry sees them")
	}
	c = fromError(c, "", err, bad)
	if err == nil {
		c.Detail = "in tracefs, " + dir.Name()
	} else if locked() {
		c.Remedy = "boot with lockdown=integrity or without lockdown"
	} else if errors.Is(err, fs.ErrNotExist) {
		c.Remedy = "a kernel built with CONFIG_FTRACE_SYSCALLS=y"
	}
	return c
}

func checkPrevState() Check {
	types, err := kernelTypes(btf.NewCache())
	var have bool
	if err == nil {
		have, err = switchHasState(types)
	}
	if err == nil && !have {
		err = &UnsupportedError{What: "previous state in sched_switch", Min: "Linux 5.18"}
	}
	return fromError(Check{Name: "state of a thread that leaves its CPU", Effect: effectUnless(err, "it is read from the task: a wake-up at the same moment looks like a preemption")}, "told by sched_switch", err, Without)
}

func checkStats() Check {
	on, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err == nil {
		on.Close()
	}
	return fromError(Check{Name: "BPF run-time statistics", Effect: effectUnless(err, "what the programs cost is not known")}, "readable", err, Without)
}

// checkAttach observes this process. It returns the session, which is closed, too; nil when there was none.
func checkAttach() (Check, *Session) {
	s, err := func() (*Session, error) {
		t, err := OpenTarget(os.Getpid())
		if err != nil {
			return nil, err
		}
		s, err := Attach(t, Config{RingBytes: 1})
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		return s, s.Close()
	}()
	return fromError(Check{Name: "pinwatch attach", Effect: effectUnless(err, "nothing can be observed")}, "all programs loaded, attached and gone again", err, No), s
}

func effectUnless(err error, effect string) string {
	if err == nil {
		return ""
	}
	return effect
}

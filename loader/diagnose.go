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

// Check is the result of one check of this machine.
type Check struct {
	Name   string
	State  State
	Detail string // the finding
	Effect string // the consequence for pinwatch; "" if there is none
	Remedy string // what would change it; "" if nothing needs to
}

// State of a Check.
type State string

const (
	Yes     State = "yes"     // available
	No      State = "no"      // pinwatch cannot observe
	Without State = "without" // not available: pinwatch works without it, with the Effect
	Unknown State = "unknown" // could not be checked
)

// Diagnose checks everything that an observation needs, each item by itself and last a whole
// observation of this process. Nothing remains in the kernel.
func Diagnose() []Check {
	checks := []Check{checkKernel()}
	for _, c := range []struct {
		cap    capability.Cap
		needed bool
		effect string
	}{
		{capability.BPF, true, "no program can be loaded"},
		{capability.Perfmon, true, "no program can be attached"},
		{capability.DACReadSearch, false, "tracefs and others' executables are readable only where file modes permit it"},
		{capability.SysPtrace, false, "other users' processes are observed without Go version, locks and functions"},
		{capability.SysAdmin, false, "the programs' cost is unknown, and tracefs must be mounted already"},
	} {
		checks = append(checks, checkCapability(c.cap, c.needed, c.effect))
	}
	attach, s := checkAttach()
	return append(checks, checkLockdown(), checkJIT(), checkBTF(), checkFentry(s), checkTracefs(s),
		checkPrevState(), checkStats(), attach)
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
		c.State, c.Effect, c.Remedy = No, "pinwatch is not tested on older kernels", "boot Linux 5.10 or newer"
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

const lessLockdown = "boot with lockdown=integrity or without lockdown"

func checkLockdown() Check {
	c := Check{Name: "kernel lockdown", State: Yes}
	level, err := capability.Lockdown()
	c.Detail = level
	switch {
	case level == capability.LockdownConfidentiality:
		c.State, c.Effect = No, "the kernel forbids tracing"
		c.Remedy = lessLockdown
	case level == capability.LockdownUnknown:
		c.State, c.Detail = Unknown, "not readable; the attempt to attach, below, decides"
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
		c.State, c.Effect = Without, "programs are interpreted and cost several times more"
		c.Remedy = "sudo sysctl net.core.bpf_jit_enable=1"
	case err == nil:
		c.State = Yes
	}
	return c
}

// judge completes a check by the error of its attempt: Yes and ok without one, else bad. The remedy
// depends on whether the kernel lacks the feature or refuses it.
func judge(c Check, ok string, err error, bad State) Check {
	var unsupported *unsupportedError
	var refused *permissionError
	switch {
	case err == nil:
		c.State, c.Detail = Yes, ok
		return c
	case errors.As(err, &unsupported):
		c.Remedy = "a kernel that has it: " + unsupported.min
	case errors.As(err, &refused) && len(refused.missing) > 0:
		c.Remedy = "sudo, or setcap with " + strings.Join(refused.missing, ", ")
	case errors.Is(err, fs.ErrPermission):
		c.Remedy = "sudo"
	}
	c.State, c.Detail = bad, err.Error()
	return c
}

func checkBTF() Check {
	_, err := kernelTypes(btf.NewCache())
	return judge(Check{
		Name:   "kernel type information (BTF)",
		Effect: effectOf(err, "programs can't be adapted to this kernel"),
	}, btfFile, err, No)
}

// checkFentry reports how an observation, which has ended, hooked system calls. s is nil if there
// was none.
func checkFentry(s *Session) Check {
	c := Check{Name: "system calls hooked by fentry", State: Unknown, Detail: "nothing could be attached"}
	if s == nil {
		return c
	}
	fentry, others, why := s.syscallsBy(Fentry), s.syscallsBy(Tracepoint), error(nil)
	if len(others) == 0 {
		c.State, c.Detail = Yes, strings.Join(fentry, ", ")
		return c
	}
	c.State, why = Without, s.noFentry[others[0]]
	c.Detail = strings.Join(others, ", ") + " by tracepoints (" + why.Error() + ")"
	if len(fentry) > 0 {
		c.Detail += "; by fentry: " + strings.Join(fentry, ", ")
	}
	c.Effect = "while attached, every system call of every process is slower"
	c.Remedy = "use --light, which hooks no system call, or a kernel that permits fentry"
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
	c.Effect = effectOf(err, "system calls can't be observed")
	if bad == Without {
		c.Effect = effectOf(err, "none: fentry observes the system calls")
	}
	c = judge(c, "", err, bad)
	if err == nil {
		c.Detail = "in tracefs, " + dir.Name()
	} else if lockedDown() {
		c.Remedy = lessLockdown
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
		err = &unsupportedError{what: "previous state in sched_switch", min: "Linux 5.18"}
	}
	return judge(Check{
		Name:   "state of a thread at its switch-out",
		Effect: effectOf(err, "it is read from the task: with a simultaneous wake-up it looks like a preemption"),
	}, "an argument of sched_switch", err, Without)
}

func checkStats() Check {
	on, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err == nil {
		on.Close()
	}
	return judge(Check{
		Name:   "BPF run-time statistics",
		Effect: effectOf(err, "the programs' cost is unknown"),
	}, "readable", err, Without)
}

// checkAttach observes this process. It also returns the closed session; nil = it could not attach.
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
	return judge(Check{
		Name:   "pinwatch attach",
		Effect: effectOf(err, "nothing can be observed"),
	}, "all programs loaded, attached and removed again", err, No), s
}

// effectOf is effect if err is an error, else "".
func effectOf(err error, effect string) string {
	if err == nil {
		return ""
	}
	return effect
}

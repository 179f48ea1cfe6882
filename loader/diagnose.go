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
	Name     string
	State    State
	Sentence string   // the finding for people: what holds, or what does not
	Detail   string   // the finding
	Effect   string   // the consequence for pinwatch; "" if there is none
	Remedy   string   // what would change it; "" if nothing needs to
	Command  string   // a shell command that changes it; "" = capabilities, or no command does
	Missing  []string // the capabilities that would change it
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
	c.Sentence = "the kernel is new enough: " + c.Detail
	var major, minor int
	if _, err := fmt.Sscanf(c.Detail, "%d.%d", &major, &minor); err != nil {
		return c
	}
	if c.State = Yes; major < 5 || major == 5 && minor < 10 {
		c.State, c.Effect, c.Remedy = No, "pinwatch is not tested on older kernels", "boot Linux 5.10 or newer"
		c.Sentence = "the kernel is older than 5.10: " + c.Detail
	}
	return c
}

func checkCapability(want capability.Cap, needed bool, effect string) Check {
	c := Check{Name: want.String(), State: Yes, Detail: "held", Sentence: want.String() + " is held"}
	has, err := capability.Has(want)
	switch {
	case err != nil:
		c.State, c.Detail, c.Sentence = Unknown, err.Error(), ""
	case !has:
		c.State, c.Detail, c.Effect = Without, "missing", effect
		if needed {
			c.State = No
		}
		c.Sentence = want.String() + " is missing"
		c.Remedy, c.Missing = "sudo, or setcap with "+want.String(), []string{want.String()}
	}
	return c
}

const lessLockdown = "boot with lockdown=integrity or without lockdown"

func checkLockdown() Check {
	c := Check{Name: "kernel lockdown", State: Yes}
	level, err := capability.Lockdown()
	c.Detail, c.Sentence = level, "lockdown permits tracing: "+level
	switch {
	case level == capability.LockdownConfidentiality:
		c.State, c.Effect = No, "nothing can be observed"
		c.Sentence = "lockdown forbids tracing: " + level
		c.Remedy = lessLockdown
	case level == capability.LockdownUnknown:
		c.State, c.Detail = Unknown, "not readable; the attempt to attach, below, decides"
		c.Sentence = "the lockdown level is " + c.Detail
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
		c.Sentence = c.Detail + ": BPF programs may be interpreted"
	case strings.TrimSpace(string(b)) == "0":
		c.State, c.Effect = Without, "programs cost several times more"
		c.Sentence = "BPF programs are interpreted"
		c.Remedy = "sudo sysctl net.core.bpf_jit_enable=1"
		c.Command = c.Remedy
	case err == nil:
		c.State, c.Sentence = Yes, "BPF programs are compiled to machine code"
	}
	return c
}

// judge completes a check by the error of its attempt: Yes and ok without one, else bad. Its sentence is
// for the good case; the bad one is the error's. The remedy depends on whether the kernel lacks the
// feature or refuses it.
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
		c.Missing = refused.missing
		c.Remedy = "sudo, or setcap with " + strings.Join(refused.missing, ", ")
	case errors.Is(err, fs.ErrPermission):
		c.Remedy = "sudo"
	}
	c.State, c.Detail = bad, err.Error()
	c.Sentence = c.Detail
	return c
}

func checkBTF() Check {
	_, err := kernelTypes(btf.NewCache())
	return judge(Check{
		Name:     "kernel type information (BTF)",
		Sentence: "the kernel describes its types (BTF)",
		Effect:   effectOf(err, "programs can't be adapted to this kernel"),
	}, btfFile, err, No)
}

// checkFentry reports how an observation, which has ended, hooked system calls. s is nil if there
// was none.
func checkFentry(s *Session) Check {
	c := Check{Name: "system calls hooked by fentry", State: Unknown, Detail: "nothing could be attached"}
	if c.Sentence = "whether system calls can be hooked by fentry shows once something can be attached"; s == nil {
		return c
	}
	fentry, others, why := s.syscallsBy(Fentry), s.syscallsBy(Tracepoint), error(nil)
	if len(others) == 0 {
		c.State, c.Detail = Yes, strings.Join(fentry, ", ")
		c.Sentence = "system calls are hooked by fentry, which slows no other process"
		return c
	}
	c.State, why = Without, s.noFentry[others[0]]
	c.Detail = strings.Join(others, ", ") + " by tracepoints (" + why.Error() + ")"
	if len(fentry) > 0 {
		c.Detail += "; by fentry: " + strings.Join(fentry, ", ")
	}
	c.Sentence = "system calls are hooked by tracepoints, because fentry is not to be had: " + why.Error()
	c.Effect = "while attached, every system call of every process is slower"
	c.Remedy = "use --light, which hooks no system call, or a kernel that permits fentry"
	return c
}

func checkTracefs(s *Session) Check {
	c := Check{Name: "system-call tracepoints", Sentence: "system calls have tracepoints"}
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
	} else if missing, capErr := capability.Missing(capability.DACReadSearch); capErr == nil && len(missing) > 0 {
		c.Missing = capNames(missing)
		c.Remedy = "sudo, or setcap with " + strings.Join(c.Missing, ", ")
		c.Sentence = "tracefs, which has the tracepoints of system calls, can't be read without " + c.Missing[0]
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
		Name:     "state of a thread at its switch-out",
		Sentence: "the kernel gives the exact state of a thread that leaves its CPU",
		Effect:   effectOf(err, "it is read from the task: with a simultaneous wake-up it looks like a preemption"),
	}, "an argument of sched_switch", err, Without)
}

func checkStats() Check {
	on, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err == nil {
		on.Close()
	} else {
		err = explain("read BPF statistics", err, capability.SysAdmin)
	}
	return judge(Check{
		Name:     "BPF run-time statistics",
		Sentence: "the kernel measures what BPF programs cost",
		Effect:   effectOf(err, "the programs' cost is unknown"),
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
		Name:     "pinwatch attach",
		Sentence: "a whole observation was made, and nothing of it is left",
		Effect:   effectOf(err, "nothing can be observed"),
	}, "all programs loaded, attached and removed again", err, No), s
}

// effectOf is effect if err is an error, else "".
func effectOf(err error, effect string) string {
	if err == nil {
		return ""
	}
	return effect
}

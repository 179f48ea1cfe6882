// Package testenv has what pinwatch's tests share: the one place where a test may be skipped, the
// check for leaked file descriptors and kernel objects, golden files, and running workloads.
// Package witness has independent observers of the kernel.
//
// A package whose tests use it has
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Need is something that a test needs of the machine.
type Need struct {
	what     string
	how      string // to get it
	try      func() error
	ofKernel bool // it depends on how the kernel was built: no privilege or installation provides it
}

// The needs a test can name. Each is tried for real, once per test process.
var (
	// BPF is a kernel with BTF and the privilege to load tracing programs.
	BPF = need("BPF tracing programs",
		"run as root or with CAP_BPF and CAP_PERFMON, on Linux 5.10 or later with CONFIG_DEBUG_INFO_BTF", tryBPF)

	// BPFAdmin is the privilege to list every BPF object and to switch run-time statistics on.
	BPFAdmin = need("BPF object lists", "run as root or with CAP_SYS_ADMIN", tryBPFAdmin)

	// Fentry is a kernel that lets a program run at one of its functions.
	Fentry = ofKernel(need("fentry programs",
		"run as root on Linux with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, as make matrix does; arm64: 6.4 or later",
		tryFentry))

	// IOUring is an io_uring whose workers are threads of the process; StartIOUser needs it.
	IOUring = ofKernel(need("io_uring with workers of the process",
		"run on Linux 5.12 or later with the sysctl kernel.io_uring_disabled at 0, outside of containers that refuse it",
		tryIOUring))

	// TimeNamespace is the privilege to make a time namespace; InTimeNamespace needs it.
	TimeNamespace = ofKernel(need("time namespaces", "run as root on Linux 5.6 or later with CONFIG_TIME_NS",
		tryTimeNamespace))

	// Namespaces is the privilege to make mount, network and PID namespaces.
	Namespaces = ofKernel(need("mount, network and PID namespaces",
		"run as root on a kernel with CONFIG_NET_NS and CONFIG_PID_NS", tryNamespaces))

	// CPUHotplug is an emulator with a second CPU that can go and come; SetSecondCPU needs it.
	CPUHotplug = ofKernel(need("a second CPU that can be taken away", "run make matrix", tryCPUHotplug))

	// CPUQuota is the privilege to make a cgroup with a CPU quota; Throttle needs it.
	CPUQuota = ofKernel(need("cgroups with CPU quotas",
		"run as root, with cgroups mounted at /sys/fs/cgroup, on a kernel with CONFIG_CFS_BANDWIDTH", tryCPUQuota))

	// CgroupFreezer is the privilege to make a cgroup that can be frozen; Freezer needs it.
	CgroupFreezer = ofKernel(need("cgroups that can be frozen",
		"run as root, with cgroups mounted at /sys/fs/cgroup, on Linux 5.2 or later or with version 1's freezer",
		tryCgroupFreezer))

	// Tracefs is a trace file system in which an instance can be made; witness.StartTrace needs it.
	Tracefs = need("tracefs instances",
		"run as root on a kernel with CONFIG_TRACING, not in lockdown=confidentiality", tryTracefs)

	// Bpftrace is a bpftrace that attaches; witness.StartSwitches needs it.
	Bpftrace = need("bpftrace", "install bpftrace 0.17 or later and run as root", tryBpftrace)

	// PerfRecord is a perf that records tracepoints of all CPUs; witness.StartPerf needs it.
	PerfRecord = need("perf", "install linux-perf 6.1 or later and run as root", tryPerf)

	// Strace is an strace that follows processes; witness.StartStrace needs it.
	Strace = need("strace", "install strace and run it where processes may be traced", tryStrace)

	// Toolchain is the go command; Workload needs it unless PINWATCH_WORKLOAD names a built
	// program.
	Toolchain = need("the go command",
		"put it on the PATH, or set PINWATCH_WORKLOAD to a built internal/workload/cmd/workload", tryToolchain)

	// GoCommand is the go command itself, which loads packages of source.
	GoCommand = need("the go command", "put it on the PATH", tryGoCommand)

	// CCompiler is a C compiler that cgo can use; CgoWorkload needs it.
	CCompiler = need("a C compiler", "install gcc", tryCCompiler)

	// Shell is a shell with the usual commands, and a user nobody.
	Shell = need("a shell, id and a user nobody", "run it on a system with users, not in a guest of the matrix", tryShell)

	// Node runs programs for js/wasm.
	Node = need("node", "install nodejs", tryNode)

	// Root is the privilege to change the user.
	Root = need("root", "run as root", tryRoot)
)

func tryRoot() error {
	if os.Geteuid() != 0 {
		return unix.EPERM
	}
	return nil
}

func need(what, how string, try func() error) *Need {
	return &Need{what: what, how: how, try: sync.OnceValue(try)}
}

func ofKernel(n *Need) *Need {
	n.ofKernel = true
	return n
}

// Missing is why the machine lacks it; nil = it has it.
func (n *Need) Missing() error { return n.try() }

// Require skips the test if the machine lacks one of the needs, with a message about how to get it.
// With CI=true in the environment the test fails instead, because a test that continuous
// integration skips never runs. Needs that depend on the kernel are an exception: the kernel matrix
// runs those tests.
func Require(t testing.TB, needs ...*Need) {
	t.Helper()
	for _, n := range needs {
		err := n.try()
		switch {
		case err == nil:
		case os.Getenv("CI") == "true" && !n.ofKernel:
			t.Fatalf("needs %s: %v. To get it: %s", n.what, err, n.how)
		default:
			t.Skipf("SKIPPED (needs %s: %v). To get it: %s", n.what, err, n.how)
		}
	}
}

// RunsSkipped skips a test, with a message, because the kernel did not run all of pinwatch's
// programs in any try: Linux 7 skips a run when a task was preempted inside a program. With CI=true
// the test fails.
func RunsSkipped(t testing.TB) {
	t.Helper()
	const why = "the kernel itself skipped runs of programs, every time"
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("SKIPPED (" + why + ", as Linux 7 does). To get it: run it on Linux 6, or on a faster machine")
}

// tryBPF loads the smallest possible tracing program.
func tryBPF() error {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return fmt.Errorf("find the kernel's BTF: %w", err)
	}
	// Kernels before 5.11 charge programs to this limit. If it matters and can't be lifted, the
	// load fails.
	_ = rlimit.RemoveMemlock()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "testenv_probe", Type: ebpf.RawTracepoint, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return fmt.Errorf("load a program: %w", err)
	}
	return p.Close()
}

func tryFentry() error {
	function := map[string]string{"amd64": "__x64_sys_tgkill", "arm64": "__arm64_sys_tgkill"}[runtime.GOARCH]
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "testenv_probe", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: function, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return fmt.Errorf("load a program: %w", err)
	}
	defer p.Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		return fmt.Errorf("attach it: %w", err)
	}
	return l.Close()
}

func tryBPFAdmin() error {
	_, err := ebpf.ProgramGetNextID(0)
	if errors.Is(err, os.ErrNotExist) { // there is none
		return nil
	}
	return err
}

func tryTracefs() error {
	dir, release, err := MountTracefs()
	if err != nil {
		return err
	}
	defer release()
	return unix.Access(dir+"/instances", unix.W_OK)
}

func tryBpftrace() error {
	out, err := exec.Command("bpftrace", "-e", "tracepoint:sched:sched_switch { exit(); }").CombinedOutput()
	if err != nil {
		return fmt.Errorf("attach to sched_switch: %w: %s", err, strings.Join(strings.Fields(string(out)), " "))
	}
	return nil
}

func tryPerf() error {
	out, err := exec.Command("perf", "record", "-q", "-a", "-k", "CLOCK_MONOTONIC", "-e", "sched:sched_switch",
		"-o", "/dev/null", "--", "true").CombinedOutput()
	if err != nil {
		return fmt.Errorf("record sched_switch: %w: %s", err, strings.Join(strings.Fields(string(out)), " "))
	}
	return nil
}

func tryStrace() error {
	out, err := exec.Command("strace", "-f", "-q", "-o", "/dev/null", "true").CombinedOutput()
	if err != nil {
		return fmt.Errorf("follow a command: %w: %s", err, strings.Join(strings.Fields(string(out)), " "))
	}
	return nil
}

func tryNamespaces() error {
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID}
	return cmd.Run()
}

func tryToolchain() error {
	if os.Getenv("PINWATCH_WORKLOAD") != "" {
		return nil
	}
	return tryGoCommand()
}

func tryGoCommand() error {
	_, err := exec.LookPath("go")
	return err
}

func tryShell() error {
	_, errUser := user.Lookup("nobody")
	_, errShell := exec.LookPath("sh")
	_, errID := exec.LookPath("id")
	return errors.Join(errUser, errShell, errID)
}

func tryNode() error {
	_, err := exec.LookPath("node")
	return err
}

func tryCCompiler() error {
	cc, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		return fmt.Errorf("ask the go command for one: %w", err)
	}
	name, _, _ := strings.Cut(strings.TrimSpace(string(cc)), " ") // CC may have flags
	_, err = exec.LookPath(name)
	return err
}

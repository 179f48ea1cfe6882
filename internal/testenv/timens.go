package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// timeOffset is a variable for the test binary: it starts the command in its arguments in a time
// namespace whose clocks are ahead by so many seconds.
const timeOffset = "PINWATCH_TEST_TIME_OFFSET"

func init() {
	if os.Getenv(timeOffset) != "" {
		runtime.LockOSThread() // main must run on the main thread: /proc/self has the offsets for its children
	}
}

// InTimeNamespace returns a command line, with its environment, that runs argv in a time namespace.
// The test binary's main must call TimeNamespaceMain first. The process has another PID than the
// command.
func InTimeNamespace(seconds int64, argv ...string) (command, env []string) {
	return append([]string{"/proc/self/exe"}, argv...), []string{fmt.Sprintf("%s=%d", timeOffset, seconds)}
}

// WorkloadInTimeNamespace is Workload in a time namespace.
func WorkloadInTimeNamespace(t testing.TB, seconds int64, args ...string) *Proc {
	t.Helper()
	command, env := InTimeNamespace(seconds, WorkloadProgram(t))
	process, err := client.Start(context.Background(), client.Options{Program: command, Env: env}, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	return &Proc{PID: process.Ready.PID, t: t, process: process}
}

// TimeNamespaceMain runs the command of InTimeNamespace, when this process is to, and returns its
// exit code.
func TimeNamespaceMain() (code int, is bool) {
	seconds := os.Getenv(timeOffset)
	if seconds == "" {
		return 0, false
	}
	os.Unsetenv(timeOffset)
	code, err := runInTimeNamespace(seconds, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "time namespace:", err)
		code = 1
	}
	return code, true
}

func runInTimeNamespace(seconds string, argv []string) (code int, err error) {
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	path, err := unix.BytePtrFromString(program)
	if err != nil {
		return 0, err
	}
	args, argsErr := syscall.SlicePtrFromStrings(argv)
	environ, envErr := syscall.SlicePtrFromStrings(os.Environ())
	offsets := fmt.Sprintf("monotonic %s 0\nboottime %s 0\n", seconds, seconds)
	if err := errors.Join(argsErr, envErr, unix.Unshare(unix.CLONE_NEWTIME),
		os.WriteFile("/proc/self/timens_offsets", []byte(offsets), 0)); err != nil {
		return 0, err
	}
	// Only a child that shares no memory enters the namespace on every kernel (kernel/nsproxy.c,
	// copy_namespaces).
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)
	if errno == 0 && pid == 0 { // the child has one thread and can't use the runtime
		_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
		_, _, _ = unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
			uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&environ[0])))
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 127, 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	var status unix.WaitStatus
	for {
		if _, err = unix.Wait4(int(pid), &status, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil && !status.Exited() {
		err = errors.New("the command ended by signal " + strconv.Itoa(int(status.Signal())))
	}
	return status.ExitStatus(), err
}

func tryTimeNamespace() error {
	err := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the children of the thread would be in the namespace
		err <- unix.Unshare(unix.CLONE_NEWTIME)
	}()
	return <-err
}

package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The program is executed by this executable, in a process that is traced from its own first instruction
// on. That has two reasons. Until the tracer has asked for it, its end does not end the process:
// PR_SET_PDEATHSIG does, which the program must not inherit, so somebody has to take it back. And a
// process that changes the user has to be traced before it does: the kernel counts it as traced with the
// privileges that it had when it asked for that (kernel/ptrace.c, ptrace_traceme), and heeds setuid
// bits and file capabilities only if they were enough (security/commoncap.c,
// cap_bprm_creds_from_file). package os changes the user first (syscall/exec_linux.go).

// helperName is what that process is called. Its arguments: the credential or "", RLIMIT_MEMLOCK's two values,
// the program's path, and the program's own arguments.
const helperName = "pinwatch: waits to execute"

// errUser is added to the exit code of that process, an errno, if it could not change the user. Other
// errors are of its execve. Both are below 128 (include/uapi/asm-generic/errno.h) but for a few of
// networks and keys.
const errUser = 128

// Help does what that process is for, and returns its exit code if that fails. is = false: the process
// with these arguments is another one. It must be called by an init of main, which the runtime calls on
// the main thread (runtime/proc.go, main): that is the traced one.
func Help(args []string) (code int, is bool) {
	if len(args) < 5 || args[0] != helperName {
		return 0, false
	}
	return help(args[1], args[2], args[3], args[4:]), true
}

func help(credential, limit, path string, argv []string) (code int) {
	var errno syscall.Errno
	// What a shell would have given it. Its own limit it may lower with no capability; another user's takes
	// CAP_SYS_RESOURCE (kernel/sys.c, check_prlimit_permission).
	var memlock unix.Rlimit
	if _, err := fmt.Sscan(limit, &memlock.Cur, &memlock.Max); err != nil {
		return int(unix.EINVAL)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_MEMLOCK, &memlock, nil); err != nil {
		errors.As(err, &errno)
		return int(errno)
	}
	if err := changeUser(credential); err != nil {
		errors.As(err, &errno)
		return errUser + int(errno)
	}
	// The tracer's end ends it by now.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0); err != nil {
		errors.As(err, &errno)
		return int(errno)
	}
	errors.As(syscall.Exec(path, argv, os.Environ()), &errno)
	return int(errno)
}

// changeUser does what package os does in a child. "" = the caller's user.
func changeUser(credential string) error {
	if credential == "" {
		return nil
	}
	var ids []int
	for _, word := range strings.Split(credential, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return syscall.EINVAL
		}
		ids = append(ids, n)
	}
	if len(ids) < 2 {
		return syscall.EINVAL
	}
	if err := syscall.Setgroups(ids[2:]); err != nil {
		return err
	}
	if err := syscall.Setgid(ids[1]); err != nil {
		return err
	}
	return syscall.Setuid(ids[0])
}

// helped makes cmd be executed by the helper, as a user; nil = the caller.
func helped(cmd *exec.Cmd, u *Credential) {
	credential := ""
	if u != nil {
		ids := append([]uint32{u.UID, u.GID}, u.Groups...)
		credential = strings.Trim(strings.Join(strings.Fields(fmt.Sprint(ids)), ","), "[]")
	}
	cmd.Args = append([]string{helperName, credential, fmt.Sprint(memlock.Cur, memlock.Max), cmd.Path}, cmd.Args...)
	cmd.Path = "/proc/self/exe"
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExec lets the helper go, and returns when it stops at the end of its own execve.
func (c *Child) awaitExec(name string) error {
	mask, err := signalMask(c.PID, unix.PTRACE_GETSIGMASK, 0)
	if err == nil {
		err = unix.PtraceCont(c.PID, 0)
	}
	if err != nil {
		return fmt.Errorf("let its helper go: %w", err)
	}
	err = c.awaitStop(func(status unix.WaitStatus) bool { return status.TrapCause() == unix.PTRACE_EVENT_EXEC })
	var ended *endedError
	switch {
	case errors.As(err, &ended) && ended.status.Exited():
		errno := syscall.Errno(ended.status.ExitStatus())
		if errno >= errUser {
			ended.why = fmt.Errorf("start %s: change the user: %w", name, errno-errUser)
		} else {
			ended.why = execError(name, errno)
		}
		return ended
	case err != nil:
		return err
	}
	// The Go runtime has changed it (runtime/signal_unix.go, minitSignalMask).
	_, err = signalMask(c.PID, unix.PTRACE_SETSIGMASK, mask)
	return err
}

// signalMask gets or sets the signal mask of a traced thread.
func signalMask(pid int, request uintptr, mask uint64) (uint64, error) {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, request, uintptr(pid), unsafe.Sizeof(mask),
		uintptr(unsafe.Pointer(&mask)), 0, 0)
	if errno != 0 {
		return 0, fmt.Errorf("signal mask: %w", errno)
	}
	return mask, nil
}

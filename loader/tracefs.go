package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

var tracefsMounts = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

// openTracefs opens the directory of tracefs, which holds the ids of the system-call tracepoints.
// If it is not mounted, a detached mount is made, which ends with its descriptor.
func openTracefs() (*os.File, error) {
	for _, dir := range tracefsMounts {
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		var st unix.Statfs_t
		if unix.Fstatfs(int(f.Fd()), &st) == nil && st.Type == unix.TRACEFS_MAGIC {
			return f, nil
		}
		f.Close()
	}
	return mountTracefs()
}

func mountTracefs() (*os.File, error) {
	fsfd, err := unix.Fsopen("tracefs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open tracefs, which is mounted at neither %s: %w",
			strings.Join(tracefsMounts, " nor "), err)
	}
	defer unix.Close(fsfd)
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return nil, fmt.Errorf("create tracefs: %w", err)
	}
	dir, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("mount tracefs: %w", err)
	}
	return os.NewFile(uintptr(dir), "tracefs"), nil
}

// tracepointID reads the id of a system call's tracepoint. fs.ErrNotExist means that the kernel
// does not have it.
func tracepointID(tracefs *os.File, name string) (uint64, error) {
	path := "events/syscalls/" + name + "/id"
	fd, err := unix.Openat(int(tracefs.Fd()), path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: "tracefs/" + path, Err: err}
	}
	defer unix.Close(fd)
	var buf [32]byte
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return 0, &fs.PathError{Op: "read", Path: "tracefs/" + path, Err: err}
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(buf[:max(n, 0)])), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("tracepoint %s: %w", name, err)
	}
	return id, nil
}

// perfEvent is the descriptor of a perf event.
type perfEvent int

func (e perfEvent) Close() error { return unix.Close(int(e)) }

// attachTracepoint runs prog at a classic tracepoint until the returned perf event is closed. It
// uses a perf event because a BPF link needs Linux 5.15.
func attachTracepoint(id uint64, progFD int) (perfEvent, error) {
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_TRACEPOINT, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Config: id,
		Sample_type: unix.PERF_SAMPLE_RAW, Sample: 1, Wakeup: 1,
		// A program on a system call's tracepoint runs on every CPU, whichever CPU the event is
		// opened on, and even if the event is disabled (kernel/trace/trace_syscalls.c,
		// perf_syscall_enter). An enabled event would itself count on its CPU, since the programs
		// pass events on to perf's users (PASS_ON): half a microsecond for each call.
		Bits: unix.PerfBitDisabled,
	}
	fd, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("perf_event_open: %w", err)
	}
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, progFD); err != nil {
		return -1, errors.Join(fmt.Errorf("set program: %w", err), unix.Close(fd))
	}
	return perfEvent(fd), nil
}

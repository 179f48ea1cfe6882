package loader

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Target is a process, held by a pidfd: a reuse of its PID is noticed.
type Target struct {
	PID   int    // in pinwatch's PID namespace
	TGID  uint32 // in the initial PID namespace
	level uint32 // depth of pinwatch's PID namespace
	ahead uint64 // of pinwatch's CLOCK_MONOTONIC before the kernel's, modulo 2^64: the offset of its time namespace
	// threads is the number of its threads when it was found.
	threads uint32
	pidfd   int
	file    *os.File // owns pidfd, which is readable once the process has ended

	// Kept until a session has loaded its programs: reading both takes a while.
	types *btf.Cache // the kernel's
	spec  *ebpf.CollectionSpec
}

// OpenTarget finds the process that has pid in the caller's PID namespace. It needs the right to
// load BPF programs: programs filter by the PID in the initial namespace, which only the kernel
// has.
func OpenTarget(pid int) (*Target, error) {
	if err := checkPrivileges(); err != nil {
		return nil, err
	}
	types, spec, err := readSources(readTypes)
	if err != nil {
		return nil, err
	}
	t, err := openPID(pid)
	if err != nil {
		return nil, err
	}
	t.types, t.spec = types, spec
	if err := t.resolve(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// openPID opens the process that has pid, of which no more is known yet.
func openPID(pid int) (*Target, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil, fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	case err != nil && leader(pid) != pid:
		return nil, fmt.Errorf("process %d %w %d: name that", pid, ErrThread, leader(pid))
	case errors.Is(err, unix.ENOSYS):
		return nil, &unsupportedError{what: "pidfd_open", min: "Linux 5.3", err: err}
	case err != nil:
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // for AwaitEnd
		return nil, errors.Join(fmt.Errorf("open process %d: %w", pid, err), unix.Close(fd))
	}
	return &Target{PID: pid, pidfd: fd, file: os.NewFile(uintptr(fd), "pidfd")}, nil
}

// readTypes reads the kernel's types.
func readTypes() (*btf.Cache, error) {
	types := btf.NewCache()
	_, err := kernelTypes(types)
	return types, err
}

// readSources reads the kernel's types and the embedded programs, in parallel.
func readSources(
	read func() (*btf.Cache, error),
) (types *btf.Cache, spec *ebpf.CollectionSpec, err error) {
	embedded := make(chan error, 1)
	go func() {
		var err error
		if spec, err = bpf.LoadPinwatch(); err != nil {
			err = fmt.Errorf("read embedded programs: %w", err)
		}
		embedded <- err
	}()
	types, err = read()
	return types, spec, cmp.Or(err, <-embedded)
}

// kernelTypes returns the kernel's types, of a target that no session has loaded its programs for.
func (t *Target) kernelTypes() (*btf.Cache, error) { return t.types, nil }

// Inode numbers of the initial namespaces (include/uapi/linux/nsfs.h, before Linux 6.18
// include/linux/proc_ns.h). A kernel without time namespaces has no file for them.
const (
	initialPIDs  = 0xEFFFFFFC
	initialTimes = 0xEFFFFFFA
)

// openSelf finds pinwatch itself. In the initial namespaces no program of the kernel need be asked.
func openSelf(types *btf.Cache, spec *ebpf.CollectionSpec) (*Target, error) {
	t, err := openPID(os.Getpid())
	if err != nil {
		return nil, err
	}
	t.types, t.spec = types, spec
	if initial("pid", initialPIDs) && initial("time", initialTimes) {
		t.TGID = uint32(t.PID)
		return t, nil
	}
	if err := t.resolve(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func initial(kind string, inode uint64) bool {
	var st unix.Stat_t
	err := unix.Stat("/proc/self/ns/"+kind, &st)
	return err == nil && st.Ino == inode
}

// leader returns the PID of the process that a thread belongs to; pid if that is not known.
// pidfd_open accepts leaders only.
func leader(pid int) int {
	if status, err := procfs.Process(pid).Status(); err == nil {
		return status.TGID
	}
	return pid
}

func (t *Target) resolve() error {
	k, err := newKernelSide(t.spec)
	if err != nil {
		return err
	}
	if err := set(setting{k.Wanted, uint32(t.PID)}); err != nil {
		return err
	}
	var objs struct {
		Resolve *ebpf.Program `ebpf:"pw_resolve"`
	}
	if err := k.LoadAndAssign(&objs, &ebpf.CollectionOptions{Cache: t.types}); err != nil {
		return explainLoad("resolve the process", err)
	}
	defer objs.Resolve.Close()
	return t.resolveBy(objs.Resolve)
}

// resolveBy asks the resolver, whose question is the target's PID.
func (t *Target) resolveBy(resolve *ebpf.Program) error {
	answer, err := t.askAbout(resolve)
	if err != nil {
		return explainLoad("resolve the process", err)
	}
	var r bpf.PinwatchResolved
	n, err := binary.Decode(answer, binary.NativeEndian, &r)
	// The pidfd was opened first. If its process still lives, the PID was this process's all the
	// time.
	if !t.Alive() {
		return fmt.Errorf("process %d %w: nothing of it was observed", t.PID, ErrEnded)
	}
	if err != nil || n == 0 {
		return fmt.Errorf("process %d is not in the kernel's list of tasks: this machine hides it from BPF programs",
			t.PID)
	}
	if r.TaskFlags&uint32(bpf.PinwatchTaskFlagsPF_KTHREAD) != 0 {
		return fmt.Errorf("process %d %w: it runs no user code", t.PID, ErrKernelThread)
	}
	t.TGID, t.level, t.threads, t.ahead = r.Tgid, r.Level, r.Threads, uint64(r.ClockAhead)
	return nil
}

// threadsOnly restricts an iterator to the process's threads.
func (t *Target) threadsOnly() taskFilter { return taskFilter{pid: uint32(t.PID)} }

// leaderOnly restricts an iterator to the thread that leads the process.
func (t *Target) leaderOnly() taskFilter { return taskFilter{tid: uint32(t.PID)} }

// askAbout reads the iterator's answer about the process.
func (t *Target) askAbout(prog *ebpf.Program) (answer []byte, err error) {
	tasks, err := attachTasks(prog, t.leaderOnly())
	if err != nil {
		return nil, err
	}
	err = tasks.read(int(unsafe.Sizeof(bpf.PinwatchResolved{})), func(record []byte) (bool, error) {
		answer = bytes.Clone(record)
		return true, nil
	})
	return answer, errors.Join(err, tasks.Close())
}

// Now returns the time with which programs stamp now (bpf_ktime_get_ns), ns: CLOCK_MONOTONIC of the
// initial time namespace, in whichever one pinwatch runs.
func (t *Target) Now() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // cannot be: the clock exists and the pointer is valid
	}
	return uint64(ts.Nano()) - t.ahead
}

// Alive reports whether the process has not ended yet. A zombie has ended, unless it is the main
// thread alone: others of the process live on (kernel/exit.c, delay_group_leader).
func (t *Target) Alive() bool {
	if t.file == nil {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(t.pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && n == 0
	}
}

// AwaitEnd returns when the process has ended, or Close is called.
func (t *Target) AwaitEnd() {
	conn, err := t.file.SyscallConn()
	if err != nil {
		return // closed
	}
	_ = conn.Read(func(uintptr) bool { return !t.Alive() }) // or closed
}

// Close releases the pidfd.
func (t *Target) Close() error {
	if t.file == nil { // it had ended before it could be opened
		return nil
	}
	return t.file.Close()
}

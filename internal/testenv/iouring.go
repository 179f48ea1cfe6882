package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// include/uapi/linux/io_uring.h
const (
	ringNativeWorkers = 1 << 9 // IORING_FEAT_NATIVE_WORKERS, Linux 5.12: workers are threads of the process
	ringOffSQEs       = 0x10000000
	ringOpOpenAt      = 18
	ringAsync         = 1 << 4 // IOSQE_ASYNC: by a worker, whether it would block or not
)

type ringParams struct {
	sqEntries, cqEntries, flags, threadCPU, threadIdle, features, wqFD uint32
	_                                                                  [3]uint32
	sq                                                                 struct {
		head, tail, ringMask, ringEntries, flags, dropped, array, _ uint32
		_                                                           uint64
	}
	_ [40]byte
}

type ringEntry struct {
	opcode, flags     uint8
	_                 uint16
	fd                int32
	_, address        uint64
	mode, openFlags   uint32
	userData, _, _, _ uint64
}

func ringSetup(entries uint32) (fd int, p ringParams, err error) {
	n, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return -1, p, fmt.Errorf("io_uring_setup: %w", errno)
	}
	return int(n), p, nil
}

func tryIOUring() error {
	fd, p, err := ringSetup(1)
	if err != nil {
		return err
	}
	if p.features&ringNativeWorkers == 0 {
		err = errors.New("its workers are threads of the kernel")
	}
	return errors.Join(err, unix.Close(fd))
}

// ioUser makes the test binary an IOUser. Its value is a directory for a file.
const ioUser = "PINWATCH_TEST_AS_IO_USER"

// IOUser is a process that uses io_uring, by the test binary: its TestMain calls Main.
type IOUser struct {
	PID int

	t     testing.TB
	stdin io.Writer
	out   *bufio.Reader
}

// StartIOUser starts an IOUser with one worker.
func StartIOUser(t testing.TB) *IOUser {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), ioUser+"="+t.TempDir())
	stdin, out := StartPiped(t, cmd)
	u := &IOUser{cmd.Process.Pid, t, stdin, out}
	u.wait()
	return u
}

// More makes it have two more workers.
func (u *IOUser) More() {
	u.t.Helper()
	u.End()
	u.wait()
}

// End ends the process that has had More.
func (u *IOUser) End() {
	u.t.Helper()
	if _, err := io.WriteString(u.stdin, "x"); err != nil {
		u.t.Fatal(err)
	}
}

func (u *IOUser) wait() {
	u.t.Helper()
	if _, err := u.out.ReadString('\n'); err != nil {
		u.t.Fatal(err)
	}
}

// useIO is the process of an IOUser.
func useIO(dir string) int {
	runtime.LockOSThread() // only the thread that made a ring has its workers
	defer runtime.UnlockOSThread()
	for _, n := range []int{1, 2} {
		if err := makeIOWorkers(dir, n); err != nil {
			panic(err)
		}
		fmt.Println("made")
		if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
			panic(err)
		}
	}
	return 0
}

// makeIOWorkers makes n more threads of io_uring in this process. Each is in a call that blocks
// until the process ends.
func makeIOWorkers(dir string, n int) error {
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	const entries = 8 // of a thread's first ring: it may have as many workers, or four per CPU (io_uring/tctx.c)
	fd, p, err := ringSetup(entries)
	if err != nil {
		return err
	}
	ring, ringErr := unix.Mmap(fd, 0, int(p.sq.array+4*p.sqEntries), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	table, err := unix.Mmap(fd, ringOffSQEs, int(p.sqEntries)*int(unsafe.Sizeof(ringEntry{})),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err := errors.Join(ringErr, err); err != nil {
		return err
	}
	path, err := unix.BytePtrFromString(fifo)
	if err != nil {
		return err
	}
	index := unsafe.Slice((*uint32)(unsafe.Pointer(&ring[p.sq.array])), p.sqEntries)
	calls := unsafe.Slice((*ringEntry)(unsafe.Pointer(&table[0])), p.sqEntries)
	before := sleepingIOWorkers()
	for i := range n { // one by one: a call gets a worker of its own when all others sleep
		index[i] = uint32(i)
		calls[i] = ringEntry{
			opcode: ringOpOpenAt, flags: ringAsync, fd: unix.AT_FDCWD,
			address: uint64(uintptr(unsafe.Pointer(path))), openFlags: unix.O_RDONLY, // waits for a writer
		}
		atomic.AddUint32((*uint32)(unsafe.Pointer(&ring[p.sq.tail])), 1)
		taken, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), 1, 0, 0, 0, 0)
		if errno != 0 || taken != 1 {
			return fmt.Errorf("io_uring_enter: took %d: %w", taken, errno)
		}
		for deadline := time.Now().Add(10 * time.Second); sleepingIOWorkers() <= before+i; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("%d workers before, %d after %d calls", before, sleepingIOWorkers(), i+1)
			}
		}
	}
	return nil
}

// sleepingIOWorkers counts the workers of this process that sleep.
func sleepingIOWorkers() (n int) {
	workers, _ := IOWorkers(os.Getpid())
	for _, tid := range workers {
		if stat, err := procfs.Thread(os.Getpid(), tid).Stat(); err == nil && stat.State == 'S' {
			n++
		}
	}
	return n
}

// IOWorkers lists the threads of a process that io_uring made, and the others, by /proc.
func IOWorkers(pid int) (workers, others []int32) {
	tids, _ := procfs.Process(pid).Threads()
	for _, tid := range tids {
		stat, err := procfs.Thread(pid, tid).Stat()
		switch {
		case err != nil: // it has ended
		case stat.Flags&procfs.IOWorker != 0:
			workers = append(workers, tid)
		default:
			others = append(others, tid)
		}
	}
	return workers, others
}

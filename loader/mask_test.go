package loader

import (
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func init() { helpers["masker"] = setUnreadableMasks }

// setUnreadableMasks sets, again and again, a signal mask at a bad address, which fails, and one in
// a page that the kernel has to bring in first.
func setUnreadableMasks() {
	runtime.LockOSThread()
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	for {
		if err := unix.Madvise(page, unix.MADV_DONTNEED); err != nil {
			panic(err)
		}
		for _, at := range []uintptr{8, uintptr(unsafe.Pointer(&page[0]))} {
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, at, 0, 8, 0, 0)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestUnreadableMask: a signal mask that can't be read is not taken for one that blocks nothing.
func TestUnreadableMask(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	cmd := startHelper(t, "masker")
	s := attachTo(t, cmd.Process.Pid, Config{})
	unread, empty := map[uint32]int{}, map[uint32]int{} // by thread: the runtime unblocks signals on others
	most := func() (tid uint32, n int) {
		for of, times := range unread {
			if times > n {
				tid, n = of, times
			}
		}
		return tid, n
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, e := range drain(t, s) {
			switch {
			case e.Kind != events.Sigmask:
			case e.Args[events.ArgUnread] != 0:
				unread[e.TID]++
			case e.Args[events.ArgValue] == 0:
				empty[e.TID]++
			}
		}
		if _, n := most(); n >= 10 {
			break
		}
	}
	if tid, n := most(); n < 10 || empty[tid] > 0 {
		t.Errorf("%d masks that could not be read, %d that block nothing", n, empty[tid])
	}
}

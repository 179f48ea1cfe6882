package workload

import (
	"runtime"
	"syscall"
	"time"
)

// offMain runs f in a goroutine that is locked once, to another thread than the main one, and returns when f is about to
// run; f may exit with the lock held. The main thread would not die of that but be parked for ever (runtime.mexit).
func offMain(f func()) {
	begun := make(chan struct{})
	go seekOther(begun, f)
	<-begun
}

func seekOther(begun chan<- struct{}, f func()) {
	runtime.LockOSThread()
	if syscall.Gettid() != syscall.Getpid() {
		close(begun)
		f()
		return
	}
	inner := make(chan struct{}) // we hold the main thread until another goroutine has one
	go seekOther(inner, f)
	<-inner
	runtime.UnlockOSThread()
	close(begun)
}

// awaitGone waits until the threads have left the process or limit is over. It returns for each when it was seen last and
// when it was first missed, 0 = never.
func awaitGone(tids []int, limit time.Duration) (seen, missed []int64) {
	seen, missed = make([]int64, len(tids)), make([]int64, len(tids))
	for end, left := monotonic()+int64(limit), len(tids); left > 0 && monotonic() < end; time.Sleep(200 * time.Microsecond) {
		for i, tid := range tids {
			if missed[i] != 0 {
				continue
			}
			if before := monotonic(); taskAlive(tid) {
				seen[i] = before
			} else {
				missed[i] = monotonic()
				left--
			}
		}
	}
	return seen, missed
}

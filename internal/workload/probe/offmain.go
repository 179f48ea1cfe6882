package probe

import (
	"runtime"
	"syscall"
)

// OffMain runs f in a goroutine that is locked once, to a thread other than the main one. It
// returns when f is about to run. f may exit with the lock held: its thread then ends. The main
// thread would be parked for ever instead (runtime.mexit).
func OffMain(f func()) {
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
	inner := make(chan struct{}) // this goroutine holds the main thread until another goroutine has a thread
	go seekOther(inner, f)
	<-inner
	runtime.UnlockOSThread()
	close(begun)
}

package caller

import (
	"runtime"
	"sync"
)

func Waits(done chan bool) {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `caller: Waits waits \(line 12\) with the calling goroutine locked`
	defer runtime.UnlockOSThread()
	<-done
}

func Sends(done chan bool) {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `Sends waits`
	defer runtime.UnlockOSThread()
	done <- true
}

func Ranges(jobs chan int) {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `Ranges waits`
	defer runtime.UnlockOSThread()
	for range jobs {
	}
}

func CallsBack(f func()) {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `CallsBack calls back`
	defer runtime.UnlockOSThread()
	f()
}

type Worker struct{ wg sync.WaitGroup }

func (w *Worker) Finish() {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `Finish waits`
	defer runtime.UnlockOSThread()
	w.wg.Wait()
}

// Loop has to be called on the thread of the window.
func Loop(jobs chan func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for job := range jobs {
		job()
	}
}

func Short() int {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return errno()
}

func OnItsOwn(f func()) {
	done := make(chan bool)
	// errno is the thread's.
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		f()
	}()
	<-done
}

func WaitsBefore(ready chan bool) int {
	<-ready
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return errno()
}

func waits(done chan bool) {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	<-done
}

type hidden struct{}

func (hidden) Waits(done chan bool) {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	<-done
}

func errno() int { return 0 }

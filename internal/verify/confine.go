package verify

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// confined calls start on a thread that may run on these CPUs only. The process that start starts
// inherits them.
func confined(cpus []int, start func() error) error {
	if cpus == nil {
		return start()
	}
	return onMortalThread(func() error {
		var set unix.CPUSet
		for _, cpu := range cpus {
			set.Set(cpu)
		}
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return fmt.Errorf("confine to CPUs %v: %w", cpus, err)
		}
		return start()
	})
}

// onMortalThread calls f on a thread that ends afterwards, so that f may change the thread's state:
// no other goroutine gets the thread. The main thread would outlive its goroutine (G-4). When the
// goroutine starts there, it holds that thread while f runs on another.
func onMortalThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			done <- f() // and the thread dies with this goroutine
			return
		}
		err := onMortalThread(f)
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

package verify

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// confined calls start on a thread that may run on these CPUs only, which the process it starts inherits.
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

// onMortalThread calls f on a thread that ends thereafter, so that f may change its state: nobody else is to have that. The main thread
// would outlive its goroutine (G-4), so while f is called it is kept aside.
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

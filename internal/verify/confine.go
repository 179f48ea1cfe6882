package verify

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// confined calls start on a thread that may run on these CPUs only, which the process it starts inherits.
func confined(cpus []int, start func() error) error {
	if cpus == nil {
		return start()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread dies with this goroutine: nobody else is to have its affinity
		var set unix.CPUSet
		for _, cpu := range cpus {
			set.Set(cpu)
		}
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			done <- fmt.Errorf("confine to CPUs %v: %w", cpus, err)
			return
		}
		done <- start()
	}()
	return <-done
}

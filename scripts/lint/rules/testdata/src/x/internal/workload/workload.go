// Package workload breaks the rules of pinwatch vet on purpose.
package workload

import "runtime"

func pin() {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread()
		_ = runtime.NumCPU()
	}()
}

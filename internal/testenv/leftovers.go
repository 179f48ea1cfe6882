package testenv

import (
	"runtime"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/leftover"
)

// NoKernelLeftovers must be called at the beginning of a test. It fails the test if BPF programs,
// maps or links that were made since are still in the kernel after the test and its other cleanups.
// It ignores objects that another process holds: packages are tested side by side.
func NoKernelLeftovers(t testing.TB) {
	t.Helper()
	Require(t, BPFAdmin)
	before, err := leftover.All()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		runtime.GC() // ends the mappings of variables, which keep two maps (ebpf.Variable has no Close)
		// The kernel frees them from a work queue, which may wait long on an emulated machine.
		left, err := leftover.Remaining(before, 20*time.Second)
		if err != nil {
			t.Errorf("list what is left in the kernel: %v", err)
		}
		for _, o := range left {
			t.Errorf("left in the kernel: %s", o)
		}
	})
}

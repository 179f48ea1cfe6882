package testenv

import (
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/leftover"
)

// NoKernelLeftovers, called at the beginning of a test, fails it when BPF programs, maps or links that came up since
// are still in the kernel at its end, the test's other cleanups done. Objects that another process holds are its own
// business: packages are tested side by side.
func NoKernelLeftovers(t testing.TB) {
	t.Helper()
	Require(t, BPFAdmin)
	before, err := leftover.All()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := leftover.Since(before, 20*time.Second) // the kernel frees them from a work queue, which an emulated machine may leave waiting
		if err != nil {
			t.Errorf("look for leftovers in the kernel: %v", err)
		}
		for _, o := range left {
			t.Errorf("left in the kernel: %s", o)
		}
	})
}

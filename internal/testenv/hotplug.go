package testenv

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

const secondCPU = "/sys/devices/system/cpu/cpu1/online"

// SetSecondCPU takes CPU 1 away, or brings it back. It comes back when the test ends. Require
// CPUHotplug first.
func SetSecondCPU(t testing.TB, online bool) {
	t.Helper()
	word := "0"
	if online {
		word = "1"
	}
	if err := os.WriteFile(secondCPU, []byte(word), 0); err != nil {
		t.Fatalf("CPU 1: %v", err)
	}
	if !online {
		t.Cleanup(func() { _ = os.WriteFile(secondCPU, []byte("1"), 0) })
	}
}

func tryCPUHotplug() error {
	if !Emulated() {
		return errors.New("this machine's CPUs are not the test's alone")
	}
	if err := os.WriteFile(secondCPU, []byte("1"), 0); err != nil {
		return fmt.Errorf("bring CPU 1 back: %w", err)
	}
	return nil
}

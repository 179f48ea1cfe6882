package main

import (
	"os"
	"runtime"
	"testing"
)

// A workload that was built beforehand has to be of the release that the verdicts are about.
func TestPrebuiltIsOfTheRelease(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := prebuilt(self, runtime.Version()); err != nil || len(got) != 1 || got[0] != self {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := prebuilt(self, "go1.13.15"); err == nil {
		t.Error("another release's is taken")
	}
	if _, err := prebuilt("/proc/self/stat", runtime.Version()); err == nil {
		t.Error("what is no Go program is taken")
	}
}

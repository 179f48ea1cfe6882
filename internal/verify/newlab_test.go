package verify

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// Without a folder for temporary files a lab is refused at once.
func TestNoTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", "/nonexistent")
	_, _, err := NewLab(t.Context(), Options{})
	if err == nil || !strings.Contains(err.Error(), "TMPDIR is /nonexistent") {
		t.Errorf("got %v", err)
	}
}

// TestPrebuiltIsOfTheRelease: a workload that was built beforehand must be of the release that the
// verdicts are about.
func TestPrebuiltIsOfTheRelease(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := prebuilt(cgoWorkload, self, runtime.Version()); err != nil || len(got) != 1 || got[0] != self {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := prebuilt(cgoWorkload, self, "go1.13.15"); err == nil {
		t.Error("a program of another release is accepted")
	}
	if _, err := prebuilt(oldWorkload, "/proc/self/stat", runtime.Version()); err == nil {
		t.Error("a file that is no Go program is accepted")
	}
}

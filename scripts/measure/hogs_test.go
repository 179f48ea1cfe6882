package measure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestHogs checks that the hogs use CPU time and are gone afterwards.
func TestHogs(t *testing.T) {
	stop, err := StartHogs(2)
	if err != nil {
		t.Fatal(err)
	}
	hogs := children(t)
	if len(hogs) != 2 {
		t.Errorf("%d children, want 2", len(hogs))
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		busy := 0
		for _, dir := range hogs {
			if used, err := os.ReadFile(dir + "/schedstat"); err == nil && !strings.HasPrefix(string(used), "0 ") {
				busy++
			}
		}
		if busy == len(hogs) {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("a hog does not run")
		}
	}
	stop()
	if left := children(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// children lists the /proc directories of this process's children.
func children(t *testing.T) (dirs []string) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, pid := range strings.Fields(string(text)) {
			dirs = append(dirs, "/proc/"+pid)
		}
	}
	return dirs
}

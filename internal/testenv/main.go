package testenv

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// session is state for the tests of one package.
var session struct {
	sync.Mutex // for tests that run in parallel
	running    bool
	tempDir    string // "" until it is needed
}

// Main runs the tests of a package and returns the exit code for os.Exit. It fails the package if
// file descriptors are open after the tests that were not before: a leaked one is often a BPF
// program that keeps running.
func Main(m *testing.M) int {
	if dir := os.Getenv(ioUser); dir != "" {
		return useIO(dir)
	}
	return leakCheck(os.Stderr, time.Second, func() int {
		session.running = true
		code := m.Run()
		session.running = false
		if err := os.RemoveAll(session.tempDir); err != nil { // for "" it does nothing
			fmt.Fprintf(os.Stderr, "testenv: %v\n", err)
			code = max(code, 1)
		}
		return code
	})
}

// leakCheck runs tests and returns their exit code, or 1 for 0 when they leaked file descriptors.
func leakCheck(stderr io.Writer, grace time.Duration, tests func() int) int {
	err := startPoller()
	var before map[int]string
	if err == nil {
		before, err = procfs.Self.Files()
	}
	if err != nil {
		fmt.Fprintf(stderr, "testenv: %v\n", err)
		return 1
	}
	code := tests()
	leaks, err := leakedFiles(before, grace)
	if err != nil {
		fmt.Fprintf(stderr, "testenv: %v\n", err)
		code = max(code, 1)
	}
	for _, leak := range leaks {
		fmt.Fprintf(stderr, "testenv: leaked file descriptor %s\n", leak)
		code = max(code, 1)
	}
	return code
}

// sessionDir is a directory that Main removes after the tests. The caller holds the lock of the
// session.
func sessionDir(t testing.TB) string {
	t.Helper()
	if !session.running {
		t.Fatal("this needs testenv.Main in TestMain")
	}
	if session.tempDir == "" {
		dir, err := os.MkdirTemp("", "pinwatch-test-")
		if err != nil {
			t.Fatal(err)
		}
		session.tempDir = dir
	}
	return session.tempDir
}

// startPoller makes the runtime open the descriptors of its network poller, which it never closes,
// by using a pipe.
func startPoller() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	return w.Close()
}

// leakedFiles lists the descriptors that are open now and were not before. grace is the time for
// goroutines that close one late.
func leakedFiles(before map[int]string, grace time.Duration) ([]string, error) {
	for deadline := time.Now().Add(grace); ; time.Sleep(10 * time.Millisecond) {
		after, err := procfs.Self.Files()
		if err != nil {
			return nil, err
		}
		var leaks []string
		for fd, target := range after {
			if target != "" && before[fd] != target {
				leaks = append(leaks, fmt.Sprintf("%d: %s", fd, target))
			}
		}
		if len(leaks) == 0 || time.Now().After(deadline) {
			slices.Sort(leaks)
			return leaks, nil
		}
	}
}

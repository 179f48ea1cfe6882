package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// quotaPeriod is the period of a quota in microseconds: the kernel's default.
const quotaPeriod = 100_000

// Throttle gives a process a tenth of a CPU in each period, in a cgroup of its own, until the test
// ends.
func Throttle(t testing.TB, pid int) {
	t.Helper()
	Require(t, CPUQuota)
	move := func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	}
	dir, err := makeThrottled()
	if err == nil {
		err = move(dir)
	}
	if err != nil {
		t.Fatalf("throttle: %v", err)
	}
	t.Cleanup(func() {
		_ = move(filepath.Dir(dir)) // fails if the process has ended
		if err := os.Remove(dir); err != nil {
			t.Errorf("remove the cgroup: %v", err)
		}
	})
}

// makeThrottled makes an empty cgroup with a quota, of the version 1 or 2 that is mounted.
func makeThrottled() (dir string, err error) {
	const root = "/sys/fs/cgroup"
	controls := map[string]string{"cpu.max": fmt.Sprint(quotaPeriod/10, quotaPeriod)}
	parent := root
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err != nil {
		parent = filepath.Join(root, "cpu")
		controls = map[string]string{
			"cpu.cfs_period_us": fmt.Sprint(quotaPeriod), "cpu.cfs_quota_us": fmt.Sprint(quotaPeriod / 10),
		}
	} else if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu"), 0); err != nil {
		return "", fmt.Errorf("give cgroups CPU quotas: %w", err)
	}
	dir = filepath.Join(parent, fmt.Sprintf("pinwatch-test-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for name, value := range controls {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0); err != nil {
			return "", errors.Join(err, os.Remove(dir))
		}
	}
	return dir, nil
}

func tryCPUQuota() error {
	dir, err := makeThrottled()
	if err != nil {
		return err
	}
	return os.Remove(dir)
}

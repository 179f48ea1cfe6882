package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// quotaPeriod is the period of a quota in microseconds: the kernel's default.
const quotaPeriod = 100_000

// cgroupRoot is where cgroups are mounted: version 2, or version 1 with a directory for each controller.
const cgroupRoot = "/sys/fs/cgroup"

// Throttle gives a process a tenth of a CPU in each period, in a cgroup of its own, until the test
// ends. It returns the cgroup's directory.
func Throttle(t testing.TB, pid int) (dir string) {
	t.Helper()
	Require(t, CPUQuota)
	return enter(t, pid, makeThrottled)
}

// Freezer moves a process to a cgroup of its own until the test ends. The returned function freezes
// or thaws that, and returns when all of the process's threads are so.
func Freezer(t testing.TB, pid int) (freeze func(frozen bool)) {
	t.Helper()
	Require(t, CgroupFreezer)
	dir := enter(t, pid, makeFreezer)
	freeze = func(frozen bool) {
		t.Helper()
		file, value, state, want := "cgroup.freeze", "0", "cgroup.events", "frozen 0"
		if frozen {
			value, want = "1", "frozen 1"
		}
		if version1() {
			file, state, value = "freezer.state", "freezer.state", "THAWED"
			if frozen {
				value = "FROZEN"
			}
			want = value
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			t.Fatalf("freeze: %v", err)
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			text, err := os.ReadFile(filepath.Join(dir, state))
			if err == nil && strings.Contains(string(text), want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("freeze: %s is %q, %v, want %s", state, text, err, want)
			}
		}
	}
	t.Cleanup(func() { freeze(false) }) // before the process is moved out
	return freeze
}

// enter moves a process to a new cgroup until the test ends.
func enter(t testing.TB, pid int, newGroup func() (string, error)) (dir string) {
	t.Helper()
	move := func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	}
	dir, err := newGroup()
	if err == nil {
		err = move(dir)
	}
	if err != nil {
		t.Fatalf("make a cgroup: %v", err)
	}
	t.Cleanup(func() {
		_ = move(filepath.Dir(dir)) // fails if the process has ended
		if err := os.Remove(dir); err != nil {
			t.Errorf("remove the cgroup: %v", err)
		}
	})
	return dir
}

func version1() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers"))
	return err != nil
}

// makeThrottled makes an empty cgroup with a quota.
func makeThrottled() (dir string, err error) {
	controls := map[string]string{"cpu.max": fmt.Sprint(quotaPeriod/10, quotaPeriod)}
	if version1() {
		controls = map[string]string{
			"cpu.cfs_period_us": fmt.Sprint(quotaPeriod), "cpu.cfs_quota_us": fmt.Sprint(quotaPeriod / 10),
		}
	} else if err := os.WriteFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"), []byte("+cpu"), 0); err != nil {
		return "", fmt.Errorf("give cgroups CPU quotas: %w", err)
	}
	return makeCgroup("cpu", controls)
}

// makeFreezer makes an empty cgroup that can be frozen: of version 2 any can.
func makeFreezer() (dir string, err error) {
	if version1() {
		return makeCgroup("freezer", map[string]string{"freezer.state": "THAWED"})
	}
	return makeCgroup("", map[string]string{"cgroup.freeze": "0"})
}

// makeCgroup makes an empty cgroup, of version 1 with a controller, and writes to its files.
func makeCgroup(controller string, controls map[string]string) (dir string, err error) {
	parent := cgroupRoot
	if version1() {
		parent = filepath.Join(parent, controller)
	}
	dir, err = os.MkdirTemp(parent, "pinwatch-test-")
	if err != nil {
		return "", err
	}
	for name, value := range controls {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0); err != nil {
			return "", errors.Join(err, os.Remove(dir))
		}
	}
	return dir, nil
}

func tryCPUQuota() error { return tryCgroup(makeThrottled) }

func tryCgroupFreezer() error { return tryCgroup(makeFreezer) }

func tryCgroup(newGroup func() (string, error)) error {
	dir, err := newGroup()
	if err != nil {
		return err
	}
	return os.Remove(dir)
}

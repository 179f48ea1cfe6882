package procfs

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
)

// TestTaskLimits: the limits of a process's own cgroup and of those above it, wherever they are
// mounted, and the machine's.
func TestTaskLimits(t *testing.T) {
	pids := func(dir, most, now string) map[string]string {
		return map[string]string{dir + "/pids.max": most, dir + "/pids.current": now}
	}
	status := func(uid, threads int) *fstest.MapFile {
		return &fstest.MapFile{Data: fmt.Appendf(nil,
			"Tgid:\t7\nNgid:\t0\nPid:\t7\nPPid:\t1\nUid:\t%d\t0\t0\t0\nThreads:\t%d\n"+
				"CapEff:\t0000000000000000\n", uid, threads)}
	}
	for name, c := range map[string]struct {
		root fstest.MapFS
		want []TaskLimit
	}{
		"version 1, mounted elsewhere": {files("9:pids:/a/b\n0::/u\n", []string{"/cg/p / cgroup pids", "/cg/u / cgroup2 x"},
			pids("cg/p/a", "100\n", "7\n")), []TaskLimit{{"pids.max of /cg/p/a", 100, 7}}},
		"version 2": {files("0::/a/b\n", []string{"/sys/fs/cgroup / cgroup2 x"}, pids("sys/fs/cgroup/a/b", "50\n", "3\n")),
			[]TaskLimit{{"pids.max of /sys/fs/cgroup/a/b", 50, 3}}},
		"a container's mount": {files("0::/docker/1\n", []string{"/sys/fs/cgroup /docker/1 cgroup2 x"},
			pids("sys/fs/cgroup", "60\n", "4\n")), []TaskLimit{{"pids.max of /sys/fs/cgroup", 60, 4}}},
		"no limit": {files("0::/a\n", []string{"/cg / cgroup2 x"}, pids("cg/a", "max\n", "3\n")), nil},
		"a user's": {fstest.MapFS{"proc/7/status": status(1000, 3), "proc/8/status": status(1000, 4),
			"proc/9/status": status(0, 5),
			"proc/7/limits": {Data: []byte("Max processes             100       4096      processes \n")}},
			[]TaskLimit{{"ulimit -u of user 1000", 100, 7}}},
		"it may exceed it": {fstest.MapFS{
			"proc/7/status": {Data: []byte("Uid:\t9\t9\t9\t9\nThreads:\t3\nCapEff:\t0000000001000000\n")},
			"proc/7/limits": {Data: []byte("Max processes             100       4096      processes \n")}}, nil},
		"root has none": {fstest.MapFS{"proc/7/status": status(0, 3),
			"proc/7/limits": {Data: []byte("Max processes             100       4096      processes \n")}}, nil},
		"the machine": {fstest.MapFS{"proc/loadavg": {Data: []byte("0.1 0.2 0.3 2/345 999\n")},
			"proc/sys/kernel/threads-max": {Data: []byte("1000\n")}, "proc/sys/kernel/pid_max": {Data: []byte("x\n")}},
			[]TaskLimit{{"kernel.threads-max", 1000, 345}}},
	} {
		if got := TaskLimits(c.root, "7"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

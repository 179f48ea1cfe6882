package host

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

func TestLimits(t *testing.T) {
	files := func(m map[string]string) fstest.MapFS {
		root := fstest.MapFS{}
		for name, text := range m {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		return root
	}
	version2 := files(map[string]string{
		"proc/self/cgroup":                  "0::/a/b\n",
		"proc/self/mountinfo":               "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"sys/fs/cgroup/a/b/cpu.max":         "50000 100000\n",
		"sys/fs/cgroup/a/cpu.max":           "max 100000\n",
		"sys/fs/cgroup/a/memory.max":        "1073741824\n",
		"sys/fs/cgroup/a/b/cpuset.cpus":     "\n",
		"sys/fs/cgroup/a/cpuset.cpus":       "0-3\n",
		"sys/fs/cgroup/cpuset.cpus":         "0-7\n",
		"sys/devices/system/cpu/online":     "0-7\n",
		"sys/fs/cgroup/a/b/pids.max":        "max\n",
		"sys/fs/cgroup/a/b/memory.high":     "max\n",
		"sys/fs/cgroup/a/b/memory.pressure": "some\n",
	})
	version1 := files(map[string]string{
		"proc/self/cgroup": "4:cpu,cpuacct:/c\n3:memory:/c\n",
		"proc/self/mountinfo": "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
			"32 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
		"sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us":   "200000\n",
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":     "-1\n",
		"sys/fs/cgroup/memory/c/memory.limit_in_bytes":   "9223372036854771712\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes":     "9223372036854771712\n",
		"sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us":  "100000\n",
		"sys/fs/cgroup/cpu,cpuacct/c/cpu.rt_period_us":   "1000000\n",
		"sys/fs/cgroup/cpu,cpuacct/c/cpuacct.usage_user": "1\n",
	})
	for name, tt := range map[string]struct {
		root  fstest.MapFS
		known bool
		want  []Limit
	}{
		"version 2": {version2, true, []Limit{{"/sys/fs/cgroup/a/b/cpu.max", "50000 100000"},
			{"/sys/fs/cgroup/a/cpuset.cpus", "0-3"}, {"/sys/fs/cgroup/a/memory.max", "1073741824"}}},
		"version 1": {version1, true, []Limit{{"/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "200000"},
			{"/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000"}}},
		"nothing": {fstest.MapFS{}, false, nil},
	} {
		if got := ReadLimits(tt.root); got.Known != tt.known || !slices.Equal(got.Cgroup, tt.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	here := ReadLimits(os.DirFS("/"))
	if want, err := procfs.Affinity(0); err != nil || !slices.Equal(here.CPUs, want) || !here.Known {
		t.Errorf("here: %+v; affinity %v, %v", here, want, err)
	}
}

package procfs

import (
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// files makes a file system of a process 7's cgroups; a line of mounts is "MOUNTPOINT ROOT TYPE OPTIONS".
func files(groups string, mounts []string, others map[string]string) fstest.MapFS {
	root, info := fstest.MapFS{}, ""
	for _, m := range mounts {
		w := strings.Fields(m)
		info += "32 31 0:29 " + w[1] + " " + w[0] + " rw,relatime shared:9 - " + w[2] + " source rw," + w[3] + "\n"
	}
	root["proc/7/cgroup"] = &fstest.MapFile{Data: []byte(groups)}
	root["proc/self/mountinfo"] = &fstest.MapFile{Data: []byte("20 1 8:1 / / rw - ext4 /dev/sda rw\nx\n" + info)}
	for name, text := range others {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

const cpuStat1 = "nr_periods 49\nnr_throttled 48\nthrottled_time 7000000000\nnr_bursts 0\nburst_time 0\n"

func TestCgroups(t *testing.T) {
	version1 := []string{"/sys/fs/cgroup / tmpfs x", "/sys/fs/cgroup/cpu,cpuacct / cgroup cpu,cpuacct",
		"/sys/fs/cgroup/freezer / cgroup freezer"}
	for name, c := range map[string]struct {
		groups     string
		mounts     []string
		controller string
		want       []string
	}{
		"version 1": {"4:freezer:/f\n1:cpu,cpuacct:/a/b\n", version1, "cpu",
			[]string{"sys/fs/cgroup/cpu,cpuacct/a/b", "sys/fs/cgroup/cpu,cpuacct/a", "sys/fs/cgroup/cpu,cpuacct"}},
		"version 1, another controller": {"4:freezer:/f\n1:cpu,cpuacct:/a/b\n", version1, "freezer",
			[]string{"sys/fs/cgroup/freezer/f", "sys/fs/cgroup/freezer"}},
		"version 2": {"0::/a b\n", []string{"/sys/fs/cgroup / cgroup2 x"}, "cpu",
			[]string{"sys/fs/cgroup/a b", "sys/fs/cgroup"}},
		"hybrid": {"1:cpu:/a\n0::/u\n", append(version1, "/sys/fs/cgroup/unified / cgroup2 x"), "cpu",
			[]string{"sys/fs/cgroup/cpu,cpuacct/a", "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/unified/u",
				"sys/fs/cgroup/unified"}},
		"a container's mount": {"0::/docker/1/a\n", []string{"/sys/fs/cgroup /docker/1 cgroup2 x"}, "cpu",
			[]string{"sys/fs/cgroup/a", "sys/fs/cgroup"}},
		"the group of a container": {"0::/docker/1\n", []string{"/sys/fs/cgroup /docker/1 cgroup2 x"}, "cpu",
			[]string{"sys/fs/cgroup"}},
		"a group outside the mount": {"0::/docker/12\n", []string{"/sys/fs/cgroup /docker/1 cgroup2 x"}, "cpu", nil},
		"a group above the mount":   {"0::/../x\n", []string{"/sys/fs/cgroup /docker/1 cgroup2 x"}, "cpu", nil},
		"outside the namespace's":   {"0::/../x\n", []string{"/sys/fs/cgroup / cgroup2 x"}, "cpu", nil},
		"beside the namespace's": {"0::/../x/y\n", []string{"/sys/fs/cgroup /.. cgroup2 x"}, "cpu",
			[]string{"sys/fs/cgroup/x/y", "sys/fs/cgroup/x", "sys/fs/cgroup"}},
		"a dead group of a zombie": {"0::/a b (deleted)\n", []string{"/sys/fs/cgroup / cgroup2 x"}, "cpu",
			[]string{"sys/fs/cgroup/a b", "sys/fs/cgroup"}},
		"escapes": {`0::/m\x2da` + "\n", []string{`/cg\040roup /m\134x2da cgroup2 x`}, "cpu",
			[]string{"cg roup"}},
		"nothing mounted":         {"1:cpu:/a\n0::/\n", nil, "cpu", nil},
		"another controller only": {"1:cpu:/a\n", version1, "memory", nil},
		"garbled":                 {"1\n:\nx:y\n", version1, "cpu", nil},
	} {
		if got := Cgroups(files(c.groups, c.mounts, nil), "7", c.controller); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := Cgroups(fstest.MapFS{}, "7", "cpu"); got != nil {
		t.Errorf("without /proc: %q", got)
	}
}

func TestReadQuotas(t *testing.T) {
	mount1, mount2 := []string{"/cg/cpu / cgroup cpu"}, []string{"/cg / cgroup2 x"}
	for name, c := range map[string]struct {
		root fstest.MapFS
		want []Quota
	}{
		"version 1, and one above": {files("1:cpu:/a/b\n", mount1, map[string]string{
			"cg/cpu/a/b/cpu.cfs_quota_us": "20000\n", "cg/cpu/a/b/cpu.cfs_period_us": "100000\n",
			"cg/cpu/a/b/cpu.stat":       cpuStat1,
			"cg/cpu/a/cpu.cfs_quota_us": "150000\n", "cg/cpu/a/cpu.cfs_period_us": "100000\n",
			"cg/cpu/a/cpu.stat":       "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n",
			"cg/cpu/cpu.cfs_quota_us": "-1\n", "cg/cpu/cpu.cfs_period_us": "100000\n",
		}), []Quota{{"/cg/cpu/a/b", 20 * time.Millisecond, 100 * time.Millisecond, 49, 48, 7 * time.Second},
			{"/cg/cpu/a", 150 * time.Millisecond, 100 * time.Millisecond, 1, 0, 0}}},
		"version 2": {files("0::/a/b\n", mount2, map[string]string{
			"cg/a/b/cpu.max": "max 100000\n", "cg/a/cpu.max": "50000 100000\n",
			"cg/a/cpu.stat": "usage_usec 9\nnr_periods 3\nnr_throttled 2\nthrottled_usec 5\nnr_bursts 0\n",
		}), []Quota{{"/cg/a", 50 * time.Millisecond, 100 * time.Millisecond, 3, 2, 5 * time.Microsecond}}},
		"none":                        {files("0::/a\n", mount2, nil), nil},
		"no cgroup mount":             {files("1:cpu:/\n0::/\n", nil, nil), nil},
		"the controller is elsewhere": {files("1:cpu:/a\n0::/b\n", mount1, nil), nil},
		"a quota of nothing":          {files("0::/\n", mount2, map[string]string{"cg/cpu.max": "0 0\n"}), nil},
	} {
		got, err := ReadQuotas(c.root, "7")
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
	if q := (&Quota{Limit: 20, Period: 100}); q.CPUs() != 0.2 {
		t.Errorf("%g CPUs", q.CPUs())
	}
	for name, root := range map[string]fstest.MapFS{
		"no process":      {},
		"no cgroup mount": files("0::/a\n", nil, nil),
		"only version 2":  files("1:cpu:/a\n0::/a\n", mount2, nil),
		"no counters":     files("0::/\n", mount2, map[string]string{"cg/cpu.max": "1000 100000\n"}),
		"counters that are none": files("0::/\n", mount2, map[string]string{"cg/cpu.max": "1000 100000\n",
			"cg/cpu.stat": "nr_periods 3\nnr_throttled x\n"}),
		"counters without the quota's": files("0::/\n", mount2, map[string]string{"cg/cpu.max": "1000 100000\n",
			"cg/cpu.stat": "usage_usec 9\nuser_usec 3\nsystem_usec 6\n"}),
	} {
		if got, err := ReadQuotas(root, "7"); err == nil {
			t.Errorf("%s: %+v, want an error", name, got)
		}
	}
}

func TestFrozen(t *testing.T) {
	for name, c := range map[string]struct {
		root fs.FS
		want []bool
	}{
		"version 1": {files("6:freezer:/a\n", []string{"/f / cgroup freezer"},
			map[string]string{"f/a/freezer.state": "FROZEN\n"}), []bool{true}},
		"about to be": {files("6:freezer:/a\n", []string{"/f / cgroup freezer"},
			map[string]string{"f/a/freezer.state": "FREEZING\n"}), []bool{false}},
		"version 2": {files("0::/a\n", []string{"/f / cgroup2 x"},
			map[string]string{"f/a/cgroup.events": "populated 1\nfrozen 1\n"}), []bool{true}},
		"not": {files("0::/a\n", []string{"/f / cgroup2 x"},
			map[string]string{"f/a/cgroup.events": "populated 1\nfrozen 0\n"}), []bool{false}},
		"hybrid": {files("6:freezer:/a\n0::/u\n", []string{"/f / cgroup freezer", "/u / cgroup2 x"}, map[string]string{
			"f/a/freezer.state": "THAWED\n", "u/u/cgroup.events": "frozen 1\n"}), []bool{false, true}},
		"root groups": {files("6:freezer:/\n0::/\n", []string{"/f / cgroup freezer", "/u / cgroup2 x"}, nil), nil},
	} {
		var got []bool
		for _, f := range FindFreezers(c.root, "7") {
			got = append(got, f.Frozen())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestCPUSet(t *testing.T) {
	for want, root := range map[string]fstest.MapFS{
		"0-2": files("3:cpuset:/a\n", []string{"/c / cgroup cpuset"}, map[string]string{
			"c/a/cpuset.effective_cpus": "0-2\n", "c/cpuset.effective_cpus": "0-3\n"}),
		"1": files("0::/a\n", []string{"/c / cgroup2 x"}, map[string]string{"c/cpuset.cpus.effective": "1\n"}),
		"":  files("0::/a\n", []string{"/c / cgroup2 x"}, nil),
	} {
		if got := CPUSet(root, "7"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestThisMachinesCgroups: whatever is mounted here can be read.
func TestThisMachinesCgroups(t *testing.T) {
	root, self := os.DirFS("/"), strconv.Itoa(os.Getpid())
	if quotas, err := ReadQuotas(root, self); err != nil {
		t.Errorf("%+v, %v", quotas, err)
	}
	for _, f := range FindFreezers(root, self) {
		if f.Frozen() {
			t.Errorf("%s: this process is frozen", f.file)
		}
	}
}

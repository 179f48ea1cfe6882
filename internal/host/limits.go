package host

import (
	"io/fs"
	"path"
	"strings"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Limits are what this process, and those that it starts, may use of the machine.
type Limits struct {
	CPUs   []int   // that they may run on; nil = unknown
	Cgroup []Limit // that its cgroups set, its own first
	Known  bool    // the cgroups could be read
}

// Limit is a file of a cgroup that sets a limit.
type Limit struct{ File, Value string }

// limitFiles are the files with limits by controller, of both versions (Documentation/admin-guide:
// cgroup-v2.rst, cgroup-v1).
var limitFiles = []struct {
	controller string
	files      []string
}{
	{"cpu", []string{"cpu.max", "cpu.cfs_quota_us"}},
	{"cpuset", []string{"cpuset.cpus"}},
	{"memory", []string{"memory.max", "memory.high", "memory.limit_in_bytes"}},
	{"pids", []string{"pids.max"}},
}

// ReadLimits reads the limits of the process from the file system root, normally os.DirFS("/").
func ReadLimits(root fs.FS) Limits {
	var l Limits
	l.CPUs, _ = procfs.Affinity(0) // nil where it can't be read
	if _, err := fs.Stat(root, "proc/self/cgroup"); err != nil {
		return l
	}
	l.Known = true
	online := line(root, "sys/devices/system/cpu/online")
	for _, c := range limitFiles {
		for _, dir := range procfs.Cgroups(root, "self", c.controller) {
			for _, name := range c.files {
				if v := line(root, path.Join(dir, name)); !unlimited(v) && (c.controller != "cpuset" || v != online) {
					l.Cgroup = append(l.Cgroup, Limit{"/" + path.Join(dir, name), v})
					if period := "cpu.cfs_period_us"; name == "cpu.cfs_quota_us" { // without which a quota is no share
						l.Cgroup = append(l.Cgroup, Limit{"/" + path.Join(dir, period), line(root, path.Join(dir, period))})
					}
				}
			}
		}
	}
	return l
}

// unlimited is true for the values that set no limit. Version 1 writes the largest number of pages
// for memory (mm/page_counter.c, PAGE_COUNTER_MAX), which is that of 64 bits but for a page.
func unlimited(value string) bool {
	first, _, _ := strings.Cut(value, " ")
	return first == "" || first == "max" || first == "-1" || strings.HasPrefix(first, "92233720368547")
}

// Package host describes the machine: kernel, processor, virtualization, mitigations, and which
// CPUs share cores, caches and memory nodes. It reads files below the caller's root, without
// privileges. A value that can't be read is unknown; it is never an error.
package host

import (
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Info describes a machine. Empty strings, 0 CPUs and a nil map mean unknown.
type Info struct {
	Kernel string // release, as uname -r
	Arch   string // GOARCH of pinwatch, which is the kernel's
	CPUs   int    // online
	// Virtualization is "none", a hypervisor ("kvm", "vmware", "microsoft", "xen", …), "other" for
	// an unnamed hypervisor, or "unknown".
	Virtualization string
	CPUModel       string            // as in /proc/cpuinfo
	Clocksource    string            // of the kernel: tsc, kvm-clock, …
	Isolated       []int             // CPUs that the kernel keeps for chosen threads; nil = none, or unknown
	Mitigations    map[string]string // /sys/devices/system/cpu/vulnerabilities: file name to content
}

// Read describes the machine with that file system root, normally os.DirFS("/").
func Read(root fs.FS) Info {
	cpuinfo := readCPUInfo(root)
	return Info{
		Kernel:         line(root, "proc/sys/kernel/osrelease"),
		Arch:           runtime.GOARCH,
		CPUs:           len(procfs.ParseCPUs(line(root, "sys/devices/system/cpu/online"))),
		Virtualization: virtualization(root, cpuinfo),
		CPUModel:       cpuinfo.model(),
		Clocksource:    line(root, "sys/devices/system/clocksource/clocksource0/current_clocksource"),
		Isolated:       isolated(root),
		Mitigations:    mitigations(root),
	}
}

// isolated reads the CPUs that are left out of load balancing (isolcpus, or a cpuset's isolated partition)
// and those without a tick (nohz_full).
func isolated(root fs.FS) (cpus []int) {
	for _, name := range []string{"sys/devices/system/cpu/isolated", "sys/devices/system/cpu/nohz_full",
		"sys/fs/cgroup/cpuset.cpus.isolated"} {
		cpus = append(cpus, procfs.ParseCPUs(line(root, name))...)
	}
	slices.Sort(cpus)
	return slices.Compact(cpus)
}

// mitigations reads the vulnerabilities directory
// (Documentation/ABI/testing/sysfs-devices-system-cpu). Kernels before 4.15 have none.
func mitigations(root fs.FS) map[string]string {
	const dir = "sys/devices/system/cpu/vulnerabilities"
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil
	}
	m := make(map[string]string, len(entries))
	for _, e := range entries {
		if s := line(root, path.Join(dir, e.Name())); s != "" {
			m[e.Name()] = s
		}
	}
	return m
}

// line reads a file of one line; "" if it can't.
func line(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(b), "\n\x00")
}

// Package host says what machine the numbers come from: kernel, processor, virtualization, mitigations and which CPUs share what.
// Everything is read below a root given by the caller, without privileges; what can't be read is unknown, never an error.
package host

import (
	"io/fs"
	"path"
	"runtime"
	"strings"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Info describes a machine. Empty strings, 0 CPUs and a nil map mean not known.
type Info struct {
	Kernel         string            // release, as uname -r
	Arch           string            // GOARCH of pinwatch, which is the kernel's
	CPUs           int               // online
	Virtualization string            // "none", a hypervisor ("kvm", "vmware", "microsoft", "xen", …), "other" for one that does not tell, "unknown"
	CPUModel       string            // as /proc/cpuinfo words it
	Clocksource    string            // what the kernel reads time from: tsc, kvm-clock, …
	Mitigations    map[string]string // /sys/devices/system/cpu/vulnerabilities: name to the kernel's words
}

// Read describes the machine whose file system root is root, normally os.DirFS("/").
func Read(root fs.FS) Info {
	cpuinfo := readCPUInfo(root)
	return Info{
		Kernel:         line(root, "proc/sys/kernel/osrelease"),
		Arch:           runtime.GOARCH,
		CPUs:           len(procfs.ParseCPUs(line(root, "sys/devices/system/cpu/online"))),
		Virtualization: virtualization(root, cpuinfo),
		CPUModel:       cpuinfo.model(),
		Clocksource:    line(root, "sys/devices/system/clocksource/clocksource0/current_clocksource"),
		Mitigations:    mitigations(root),
	}
}

// mitigations reads Documentation/ABI/testing/sysfs-devices-system-cpu's vulnerabilities; kernels before 4.15 have none.
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

// line reads a file of one line; "" when there is none.
func line(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(b), "\n\x00")
}

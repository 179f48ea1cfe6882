package host

import (
	"io/fs"
	"slices"
	"strings"
)

// cpuInfo is the first processor's block of /proc/cpuinfo, with the architecture's keys.
type cpuInfo map[string]string

func readCPUInfo(root fs.FS) cpuInfo {
	b, err := fs.ReadFile(root, "proc/cpuinfo")
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(b), "\n\n")
	info := cpuInfo{}
	for l := range strings.Lines(first) {
		if k, v, ok := strings.Cut(l, ":"); ok {
			info[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return info
}

// model is the name of the processor. arm64 has only the implementer and part numbers of MIDR_EL1.
func (c cpuInfo) model() string {
	if m := c["model name"]; m != "" {
		return m
	}
	if c["CPU implementer"] != "" && c["CPU part"] != "" {
		return "implementer " + c["CPU implementer"] + " part " + c["CPU part"]
	}
	return ""
}

// x86 reports whether the processor is an x86 one. Only there the absence of the hypervisor flag is
// meaningful.
func (c cpuInfo) x86() bool { return c["flags"] != "" }

// hypervisor is the CPUID bit (leaf 1, ECX bit 31) that every x86 hypervisor sets and no processor
// sets.
func (c cpuInfo) hypervisor() bool {
	return slices.Contains(strings.Fields(c["flags"]), "hypervisor")
}

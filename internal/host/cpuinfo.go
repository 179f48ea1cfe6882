package host

import (
	"io/fs"
	"slices"
	"strings"
)

// cpuInfo is the first processor's block of /proc/cpuinfo, keys as the architecture spells them.
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

// model names the processor. arm64 has no model name, only the implementer and part numbers of MIDR_EL1.
func (c cpuInfo) model() string {
	if m := c["model name"]; m != "" {
		return m
	}
	if c["CPU implementer"] != "" && c["CPU part"] != "" {
		return "implementer " + c["CPU implementer"] + " part " + c["CPU part"]
	}
	return ""
}

// x86 says whether the block is an x86 one: only there does the absence of a hypervisor flag mean anything.
func (c cpuInfo) x86() bool { return c["flags"] != "" }

// hypervisor is the CPUID bit (leaf 1, ECX bit 31) that every x86 hypervisor sets and no processor does.
func (c cpuInfo) hypervisor() bool {
	return slices.Contains(strings.Fields(c["flags"]), "hypervisor")
}

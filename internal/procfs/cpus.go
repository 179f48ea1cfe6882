package procfs

import (
	"strconv"
	"strings"
)

// maxCPU is above the kernel's own limit (CONFIG_NR_CPUS, 8192 on x86). It keeps a garbled list
// from filling memory.
const maxCPU = 1 << 16

// ParseCPUs parses the kernel's list format, "0-3,8"; nil when the list is empty or garbled.
func ParseCPUs(list string) []int {
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		low, lowErr := strconv.Atoi(first)
		high, highErr := strconv.Atoi(last)
		if lowErr != nil || highErr != nil || low > high || high >= maxCPU || len(cpus) > maxCPU {
			return nil
		}
		for cpu := low; cpu <= high; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

package loader

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// memoryLimit is the number of bytes that this process may still use, and what sets the limit: the
// machine, or one of its cgroups. BPF maps count against both (kernel/bpf/syscall.c,
// bpf_map_kmalloc_node).
func memoryLimit() (bytes uint64, by string) { return readMemoryLimit(os.DirFS("/")) }

func readMemoryLimit(root fs.FS) (bytes uint64, by string) {
	bytes, by = ^uint64(0), "no limit"
	if free, ok := memAvailable(root); ok {
		bytes, by = free, "the machine (MemAvailable)"
	}
	for _, dir := range procfs.Cgroups(root, "self", "memory") {
		if free, ok := cgroupFree(root, dir); ok && free < bytes {
			bytes, by = free, "the cgroup /"+dir
		}
	}
	return bytes, by
}

func memAvailable(root fs.FS) (uint64, bool) {
	f, err := root.Open("proc/meminfo")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib uint64
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kib); n == 1 {
			return kib << 10, true
		}
	}
	return 0, false
}

// cgroupFree is the memory that a cgroup still leaves in bytes; false = it sets no limit.
func cgroupFree(root fs.FS, dir string) (uint64, bool) {
	for _, files := range [...][2]string{ // of version 2, of version 1
		{"memory.max", "memory.current"},
		{"memory.limit_in_bytes", "memory.usage_in_bytes"},
	} {
		most, err := readUint(root, path.Join(dir, files[0]))
		if err != nil {
			continue
		}
		used, err := readUint(root, path.Join(dir, files[1]))
		if err != nil {
			continue
		}
		return most - min(used, most), true
	}
	return 0, false
}

func readUint(root fs.FS, name string) (uint64, error) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64) // "max" (no limit) is an error
}

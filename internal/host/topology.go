package host

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Topology holds which CPUs share a core, a cache or a memory node. The zero value is of an unknown
// machine.
type Topology struct {
	cpus map[int]place
}

// place is a CPU's core and last-level cache, each named by its lowest CPU, and its memory node's
// number; -1 = unknown.
type place struct {
	core, llc, node int
}

// ReadTopology reads from sysfs which CPUs share a core, a last-level cache and a memory node
// (Documentation/ABI/stable/sysfs-devices-system-cpu and -node).
func ReadTopology(root fs.FS) Topology {
	t := Topology{cpus: map[int]place{}}
	for _, cpu := range numbered(root, "sys/devices/system/cpu", "cpu") {
		dir := "sys/devices/system/cpu/cpu" + strconv.Itoa(cpu)
		t.cpus[cpu] = place{
			core: lowest(line(root, dir+"/topology/thread_siblings_list")),
			llc:  lowest(lastLevelCache(root, dir+"/cache")),
			node: -1,
		}
	}
	for _, node := range numbered(root, "sys/devices/system/node", "node") {
		for _, cpu := range procfs.ParseCPUs(line(root, "sys/devices/system/node/node"+strconv.Itoa(node)+"/cpulist")) {
			if p, ok := t.cpus[cpu]; ok {
				p.node = node
				t.cpus[cpu] = p
			}
		}
	}
	return t
}

// Distance is how far a thread moves from CPU a to CPU b: "smt" to the other thread of the same
// core, "llc" to another core on the same last-level cache, "node" beyond that cache on the same
// memory node, "remote" to another node. It is "unknown" if sysfs does not describe it, or if a is
// b.
func (t Topology) Distance(a, b int) string {
	pa, okA := t.cpus[a]
	pb, okB := t.cpus[b]
	switch {
	case !okA || !okB || a == b:
		return "unknown"
	case same(pa.core, pb.core):
		return "smt"
	case same(pa.llc, pb.llc):
		return "llc"
	case pa.node < 0 || pb.node < 0:
		return "unknown"
	case pa.node != pb.node:
		return "remote"
	case pa.llc < 0 || pb.llc < 0: // on the same node, and perhaps on the same cache
		return "unknown"
	}
	return "node"
}

// Known reports whether the distance between any two CPUs is known. A virtual machine may describe
// neither which CPUs share a core or a cache, nor more than one memory node.
func (t Topology) Known() bool {
	cores, caches, nodes, described := map[int]bool{}, map[int]bool{}, map[int]bool{}, 0
	for _, p := range t.cpus {
		if p.core >= 0 && cores[p.core] || p.llc >= 0 && caches[p.llc] {
			return true
		}
		cores[p.core], caches[p.llc] = true, true
		if p.node >= 0 {
			nodes[p.node] = true
		}
		if p.node >= 0 && p.llc >= 0 {
			described++
		}
	}
	return len(nodes) > 1 || described > 1
}

func same(a, b int) bool { return a >= 0 && a == b }

// lastLevelCache is the CPU list of the highest-level cache that holds data; "" if no cache is
// described.
func lastLevelCache(root fs.FS, dir string) (list string) {
	highest := 0
	for _, i := range numbered(root, dir, "index") {
		cache := path.Join(dir, "index"+strconv.Itoa(i))
		level, err := strconv.Atoi(line(root, cache+"/level"))
		if err == nil && level > highest && line(root, cache+"/type") != "Instruction" {
			highest, list = level, line(root, cache+"/shared_cpu_list")
		}
	}
	return list
}

// numbered lists the numbers of a directory's entries named prefix and a number, ascending.
func numbered(root fs.FS, dir, prefix string) []int {
	entries, _ := fs.ReadDir(root, dir) // no directory, no entries
	var ns []int
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(e.Name(), prefix); ok {
			if n, err := strconv.ParseUint(rest, 10, 31); err == nil {
				ns = append(ns, int(n))
			}
		}
	}
	slices.Sort(ns)
	return ns
}

// lowest is the lowest CPU of a list; -1 if it is empty.
func lowest(list string) int {
	if cpus := procfs.ParseCPUs(list); len(cpus) > 0 {
		return slices.Min(cpus)
	}
	return -1
}

package host

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		tree string
		a, b int
		want string
	}{
		{"server.tree", 0, 8, "smt"},
		{"server.tree", 11, 3, "smt"},
		{"server.tree", 0, 1, "llc"},
		{"server.tree", 0, 9, "llc"},
		{"server.tree", 0, 2, "node"},
		{"server.tree", 9, 3, "node"},
		{"server.tree", 0, 4, "remote"},
		{"server.tree", 14, 8, "remote"},
		{"server.tree", 3, 3, "unknown"},
		{"server.tree", 0, 16, "unknown"},
		{"server.tree", -1, 0, "unknown"},
		{"server.tree", 7, 15, "unknown"}, // 15 is offline
		{"guest.tree", 0, 1, "llc"},
		{"arm64.tree", 0, 1, "unknown"}, // the same node; whether they share a cache is unknown
		{"arm64.tree", 0, 2, "remote"},
	} {
		top := ReadTopology(tree(t, tt.tree))
		if got := top.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: %d → %d = %q, want %q", tt.tree, tt.a, tt.b, got, tt.want)
		}
		if back := top.Distance(tt.b, tt.a); back != tt.want {
			t.Errorf("%s: %d → %d = %q, but reversed %q", tt.tree, tt.a, tt.b, tt.want, back)
		}
	}
}

// TestKnown: the distances of some pair of CPUs, or of none.
func TestKnown(t *testing.T) {
	bare := tree(t, "server.tree") // two nodes, nothing else
	for name := range bare {
		if !strings.HasSuffix(name, "/cpulist") {
			bare[name] = &fstest.MapFile{}
		}
	}
	apart := fstest.MapFS{ // as a hypervisor leaves them: each its own core, caches without a list, one node
		"sys/devices/system/cpu/cpu0/topology/thread_siblings_list": {Data: []byte("0\n")},
		"sys/devices/system/cpu/cpu1/topology/thread_siblings_list": {Data: []byte("1\n")},
		"sys/devices/system/cpu/cpu0/cache/index0/id":               {Data: []byte("0\n")},
		"sys/devices/system/node/node0/cpulist":                     {Data: []byte("0-1\n")},
	}
	for name, c := range map[string]struct {
		root fstest.MapFS
		want bool
	}{
		"server": {tree(t, "server.tree"), true}, "guest": {tree(t, "guest.tree"), true},
		"arm64": {tree(t, "arm64.tree"), true}, "nodes only": {bare, true}, "nothing": {fstest.MapFS{}, false},
		"CPUs without caches": {apart, false},
	} {
		if got := ReadTopology(c.root).Known(); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestDistanceOfNothing(t *testing.T) {
	for _, top := range []Topology{{}, ReadTopology(fstest.MapFS{})} {
		if got := top.Distance(0, 1); got != "unknown" {
			t.Errorf("got %q, want unknown", got)
		}
	}
}

// Kernels without NUMA describe caches but no nodes.
func TestNoNodes(t *testing.T) {
	root := tree(t, "server.tree")
	delete(root, "sys/devices/system/node/node0/cpulist")
	delete(root, "sys/devices/system/node/node1/cpulist")
	top := ReadTopology(root)
	for b, want := range map[int]string{8: "smt", 1: "llc", 2: "unknown", 4: "unknown"} {
		if got := top.Distance(0, b); got != want {
			t.Errorf("0 → %d = %q, want %q", b, got, want)
		}
	}
}

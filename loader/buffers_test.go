package loader

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// Sizes are powers of two that kernels accept. Together they do not exceed the request, if that
// suffices for the smallest buffers.
func TestBufferSizes(t *testing.T) {
	for _, asked := range []int{0, -1, 1, 4 << 10, 4<<10 + 1, 1 << 20, 5 << 20, 64 << 20} {
		b, err := sizeBuffers(asked, 0, 0, false, Room{})
		var limit *limitError
		if errors.As(err, &limit) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.ringBytes&(b.ringBytes-1) != 0 || b.ringBytes < unix.Getpagesize() ||
			b.TurnsPerCPU&(b.TurnsPerCPU-1) != 0 || b.TurnsPerCPU < 8 {
			t.Errorf("%d bytes: %+v", asked, b)
		}
		slots := b.possible * int(unsafe.Sizeof(bpf.PinwatchCpuSlot{}))
		if enough := unix.Getpagesize() + 8*turnBytes*b.cpus; asked > 2*enough && b.bytes() > uint64(asked+slots) {
			t.Errorf("%d bytes: %+v take %d", asked, b, b.bytes())
		}
		if asked <= 0 && b.TurnsPerCPU < defaultTurns {
			t.Errorf("default of %d turns per CPU", b.TurnsPerCPU)
		}
	}
}

func TestBuffersBeyondTheLimitAreRefused(t *testing.T) {
	var limit *limitError
	if _, err := sizeBuffers(1<<50, 0, 0, false, Room{}); !errors.As(err, &limit) || limit.by == "" || limit.limit == 0 {
		t.Errorf("a pebibyte: %v", err)
	}
	_, err := sizeBuffers(1<<20, 0, 0, false, Room{Table: 1 << 40})
	if !errors.As(err, &limit) || !strings.Contains(err.Error(), "--thread-entries") {
		t.Errorf("a table of 2^40 threads: %v", err)
	}
}

// Memory follows the CPUs that are online: CPUs that could come cost a slot each, and a thousand
// times as many CPUs take a thousand times the memory of sums.
func TestMemoryFollowsTheCPUs(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		cpus, possible int
		aggregate      bool
		most           uint64
	}{
		{2, 2, false, 17 * mib},
		{2, 2, true, 17 * mib},
		{2, 240, true, 17 * mib}, // 29 MiB more with sums for all possible CPUs
		{2, 8192, true, 20 * mib},
		{512, 512, false, 81 * mib},
		{512, 512, true, 143 * mib},
		{2048, 2048, true, 576 * mib},
	} {
		b := divideBuffers(0, c.cpus, sharedBy, c.possible, c.aggregate, 1<<40)
		if n := b.bytes(); n > c.most || b.TurnsPerCPU < defaultTurns ||
			b.rings*b.shared < c.cpus || b.rings&(b.rings-1) != 0 {
			t.Errorf("%+v: %.1f MiB, %+v", c, float64(n)/mib, b)
		}
	}
}

func TestRingCPUs(t *testing.T) {
	for online, want := range map[string]int{"0-1\n": 2, "0\n": 1, "0-3,8-11\n": 12, "": 240, "0-500\n": 240} {
		if got := ringCPUs(online, 240); got != want {
			t.Errorf("%q: %d, want %d", online, got, want)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	mounts := file("31 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
		"41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw\n")
	machine := file("MemTotal: 2048 kB\nMemAvailable:    1024 kB\n")
	for _, c := range []struct {
		name  string
		root  fstest.MapFS
		bytes uint64
		by    string
	}{
		{"machine", fstest.MapFS{"proc/meminfo": machine}, 1 << 20, "the machine (MemAvailable)"},
		{"nothing known", fstest.MapFS{}, ^uint64(0), "no limit"},
		{"version 2", fstest.MapFS{
			"proc/meminfo": machine, "proc/self/mountinfo": mounts, "proc/self/cgroup": file("0::/a/b\n"),
			"sys/fs/cgroup/a/b/memory.max": file("max\n"), "sys/fs/cgroup/a/b/memory.current": file("5\n"),
			"sys/fs/cgroup/a/memory.max": file("5000\n"), "sys/fs/cgroup/a/memory.current": file("1000\n"),
		}, 4000, "the cgroup /sys/fs/cgroup/a"},
		{"version 1", fstest.MapFS{
			"proc/meminfo": machine, "proc/self/mountinfo": mounts, "proc/self/cgroup": file("5:cpu,memory:/x\n3:pids:/y\n"),
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": file("700\n"),
			"sys/fs/cgroup/memory/x/memory.usage_in_bytes": file("900\n"),
		}, 0, "the cgroup /sys/fs/cgroup/memory/x"},
		{"no limit", fstest.MapFS{
			"proc/meminfo": machine, "proc/self/mountinfo": mounts, "proc/self/cgroup": file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("max\n"),
		}, 1 << 20, "the machine (MemAvailable)"},
	} {
		if bytes, by := readMemoryLimit(c.root); bytes != c.bytes || by != c.by {
			t.Errorf("%s: %d by %s, want %d by %s", c.name, bytes, by, c.bytes, c.by)
		}
	}
}

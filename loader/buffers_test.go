package loader

import (
	"errors"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// Sizes are powers of two that kernels accept. Together they do not exceed the request, if that
// suffices for the smallest buffers.
func TestBufferSizes(t *testing.T) {
	for _, asked := range []int{0, -1, 1, 4 << 10, 4<<10 + 1, 1 << 20, 5 << 20, 64 << 20} {
		b, err := sizeBuffers(asked, false)
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
		if enough := unix.Getpagesize() + 8*turnBytes*b.cpus; asked > 2*enough && b.bytes() > uint64(asked) {
			t.Errorf("%d bytes: %+v take %d", asked, b, b.bytes())
		}
		if asked <= 0 && b.TurnsPerCPU < defaultTurns {
			t.Errorf("default of %d turns per CPU", b.TurnsPerCPU)
		}
	}
}

func TestBuffersBeyondTheLimitAreRefused(t *testing.T) {
	var limit *limitError
	if _, err := sizeBuffers(1<<50, false); !errors.As(err, &limit) || limit.by == "" || limit.limit == 0 {
		t.Errorf("a pebibyte: %v", err)
	}
}

func TestMemoryLimit(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
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
			"proc/meminfo": machine, "proc/self/cgroup": file("0::/a/b\n"),
			"sys/fs/cgroup/a/b/memory.max": file("max\n"), "sys/fs/cgroup/a/b/memory.current": file("5\n"),
			"sys/fs/cgroup/a/memory.max": file("5000\n"), "sys/fs/cgroup/a/memory.current": file("1000\n"),
		}, 4000, "the cgroup /sys/fs/cgroup/a"},
		{"version 1", fstest.MapFS{
			"proc/meminfo": machine, "proc/self/cgroup": file("5:cpu,memory:/x\n3:pids:/y\n"),
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": file("700\n"),
			"sys/fs/cgroup/memory/x/memory.usage_in_bytes": file("900\n"),
		}, 0, "the cgroup /sys/fs/cgroup/memory/x"},
		{"no limit", fstest.MapFS{
			"proc/meminfo": machine, "proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n"),
		}, 1 << 20, "the machine (MemAvailable)"},
	} {
		if bytes, by := readMemoryLimit(c.root); bytes != c.bytes || by != c.by {
			t.Errorf("%s: %d by %s, want %d by %s", c.name, bytes, by, c.bytes, c.by)
		}
	}
}

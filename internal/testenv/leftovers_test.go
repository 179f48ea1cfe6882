package testenv

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/leftover"
)

func newMap(t *testing.T) *ebpf.Map {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "left_behind", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNoKernelLeftovers(t *testing.T) {
	Require(t, BPF, BPFAdmin)
	r := Record(func(tb testing.TB) {
		NoKernelLeftovers(tb)
		m := newMap(t)
		tb.Cleanup(func() { m.Close() })
	})
	if len(r.Errors) > 0 || r.FatalText != "" {
		t.Errorf("a map that a cleanup closes: %+v", r)
	}
}

func TestLeftoverIsFound(t *testing.T) {
	Require(t, BPF, BPFAdmin)
	before, err := leftover.All()
	if err != nil {
		t.Fatal(err)
	}
	m := newMap(t)
	left, err := leftover.Remaining(before, 0)
	if err != nil || len(left) != 1 || left[0].Kind != "map" || !strings.Contains(left[0].String(), "left_behind") {
		t.Errorf("left: %v, %v; want the map", left, err)
	}

	// In another process's hands it is not ours.
	fd, err := unix.FcntlInt(uintptr(m.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	copied := os.NewFile(uintptr(fd), "map")
	other := exec.Command("cat")
	other.ExtraFiles = []*os.File{copied}
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	copied.Close()
	m.Close()
	if left, err := leftover.Remaining(before, 0); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v; want nothing, another process holds the map", left, err)
	}
	stdin.Close()
	if err := other.Wait(); err != nil {
		t.Error(err)
	}
	if left, err := leftover.Remaining(before, 5*time.Second); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v; want nothing", left, err)
	}
}

// What comes up while one waits for the kernel to free something is no leftover.
func TestLeftoversOfOthers(t *testing.T) {
	Require(t, BPF, BPFAdmin)
	before, err := leftover.All()
	if err != nil {
		t.Fatal(err)
	}
	first := newMap(t)
	later := make(chan *ebpf.Map)
	go func() {
		time.Sleep(500 * time.Millisecond)
		m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "later", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
		if err != nil {
			t.Error(err)
		}
		first.Close()
		later <- m
	}()
	left, err := leftover.Remaining(before, 20*time.Second)
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v; want nothing", left, err)
	}
	(<-later).Close() // it was there all the time
}

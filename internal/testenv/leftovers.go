package testenv

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// object is a BPF object of the kernel.
type object struct {
	kind string // prog, map or link, as in /proc/PID/fdinfo
	id   uint32
}

// NoKernelLeftovers, called at the beginning of a test, fails it when BPF programs, maps or links that came up since
// are still in the kernel at its end, the test's other cleanups done. Objects that another process holds are its own
// business: packages are tested side by side. Names play no part, so nothing escapes by its name.
func NoKernelLeftovers(t testing.TB) {
	t.Helper()
	Require(t, BPFAdmin)
	before, err := objects()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := leftovers(before, 20*time.Second) // the kernel frees them from a work queue, which an emulated machine may leave waiting
		if err != nil {
			t.Errorf("look for leftovers in the kernel: %v", err)
		}
		for _, o := range left {
			t.Errorf("left in the kernel: %s %d%s", o.kind, o.id, nameOf(o))
		}
	})
}

// leftovers lists the objects that came up since before and that no other process holds. The kernel frees objects some time
// after their last user has gone, hence the grace.
func leftovers(before map[object]bool, grace time.Duration) ([]object, error) {
	for deadline := time.Now().Add(grace); ; time.Sleep(10 * time.Millisecond) {
		now, err := objects() // before the holders: what is held must have been seen by then
		if err != nil {
			return nil, err
		}
		for o := range now {
			if before[o] {
				delete(now, o)
			}
		}
		if len(now) > 0 {
			for o := range heldByOthers() {
				delete(now, o)
			}
		}
		if len(now) == 0 || time.Now().After(deadline) {
			return sorted(now), nil
		}
	}
}

// objects lists every BPF program, map and link in the kernel.
func objects() (map[object]bool, error) {
	all := map[object]bool{}
	if err := eachID(ebpf.ProgramGetNextID, func(id ebpf.ProgramID) { all[object{"prog", uint32(id)}] = true }); err != nil {
		return nil, fmt.Errorf("list programs: %w", err)
	}
	if err := eachID(ebpf.MapGetNextID, func(id ebpf.MapID) { all[object{"map", uint32(id)}] = true }); err != nil {
		return nil, fmt.Errorf("list maps: %w", err)
	}
	var links link.Iterator
	defer links.Close()
	for links.Next() {
		all[object{"link", uint32(links.ID)}] = true
	}
	if err := links.Err(); err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return all, nil
}

// eachID calls see with every id that next leads to.
func eachID[ID ~uint32](next func(ID) (ID, error), see func(ID)) error {
	for id := ID(0); ; see(id) {
		var err error
		if id, err = next(id); errors.Is(err, os.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// heldByOthers lists the objects that other processes have open, and the maps of the programs among them.
func heldByOthers() map[object]bool {
	held := map[object]bool{}
	files, _ := filepath.Glob("/proc/[0-9]*/fdinfo/*") // the pattern is well-formed
	self := fmt.Sprintf("/proc/%d/", os.Getpid())
	for _, file := range files {
		if strings.HasPrefix(file, self) {
			continue
		}
		info, err := os.ReadFile(file)
		if err != nil { // closed meanwhile
			continue
		}
		for line := range strings.Lines(string(info)) {
			key, value, _ := strings.Cut(line, ":")
			kind, isID := strings.CutSuffix(key, "_id")
			if !isID || !slices.Contains([]string{"prog", "map", "link"}, kind) {
				continue
			}
			id, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
			if err != nil {
				continue
			}
			held[object{kind, uint32(id)}] = true
			if kind == "prog" {
				for _, m := range mapsOf(ebpf.ProgramID(id)) {
					held[object{"map", uint32(m)}] = true
				}
			}
		}
	}
	return held
}

// mapsOf lists the maps of a program, none if it has gone.
func mapsOf(id ebpf.ProgramID) []ebpf.MapID {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return nil
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return nil
	}
	ids, _ := info.MapIDs()
	return ids
}

// nameOf is what a message can add about an object: its name, "" if it has none or has gone.
func nameOf(o object) string {
	switch o.kind {
	case "prog":
		if p, err := ebpf.NewProgramFromID(ebpf.ProgramID(o.id)); err == nil {
			defer p.Close()
			if info, err := p.Info(); err == nil {
				return " " + info.Name
			}
		}
	case "map":
		if m, err := ebpf.NewMapFromID(ebpf.MapID(o.id)); err == nil {
			defer m.Close()
			if info, err := m.Info(); err == nil {
				return " " + info.Name
			}
		}
	}
	return ""
}

func sorted(set map[object]bool) []object {
	list := slices.Collect(maps.Keys(set))
	slices.SortFunc(list, func(a, b object) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id))
	})
	return list
}

// Package leftover finds BPF programs, maps and links that stay in the kernel after the process
// that made them has ended. It compares ids, not names. It needs CAP_SYS_ADMIN.
package leftover

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Object is a BPF object of the kernel.
type Object struct {
	Kind string // prog, map or link, as in /proc/PID/fdinfo
	ID   uint32
}

// Remaining lists the objects that were made since before, that no other process holds, and that
// stay. The kernel frees objects some time after their last user has ended, hence the grace. It
// ignores objects made during the call: the process in question has ended by then.
func Remaining(before map[Object]bool, grace time.Duration) ([]Object, error) {
	var left map[Object]bool
	for deadline := time.Now().Add(grace); ; time.Sleep(10 * time.Millisecond) {
		now, err := All() // before heldByOthers, so that every held object is in the list
		if err != nil {
			return nil, err
		}
		if left == nil {
			left = maps.Clone(now)
		}
		gone := func(o Object, _ bool) bool { return before[o] || !now[o] }
		maps.DeleteFunc(left, gone)
		if len(left) > 0 {
			for o := range heldByOthers() {
				delete(left, o)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return sorted(left), nil
		}
	}
}

// All lists every BPF program, map and link in the kernel.
func All() (map[Object]bool, error) {
	all := map[Object]bool{}
	err := eachID(ebpf.ProgramGetNextID, func(id ebpf.ProgramID) { all[Object{"prog", uint32(id)}] = true })
	if err != nil {
		return nil, fmt.Errorf("list programs: %w", err)
	}
	err = eachID(ebpf.MapGetNextID, func(id ebpf.MapID) { all[Object{"map", uint32(id)}] = true })
	if err != nil {
		return nil, fmt.Errorf("list maps: %w", err)
	}
	var links link.Iterator
	defer links.Close()
	for links.Next() {
		all[Object{"link", uint32(links.ID)}] = true
	}
	if err := links.Err(); err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return all, nil
}

// eachID calls see with every id, as next enumerates them.
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

// heldByOthers lists the objects that other processes have open, and the maps of the programs among
// them.
func heldByOthers() map[Object]bool {
	held := map[Object]bool{}
	for _, pid := range procfs.Processes() {
		if pid == os.Getpid() {
			continue
		}
		for _, o := range procfs.Process(pid).BPFObjects() {
			held[Object(o)] = true
			if o.Kind == "prog" {
				for _, m := range mapsOf(ebpf.ProgramID(o.ID)) {
					held[Object{"map", uint32(m)}] = true
				}
			}
		}
	}
	return held
}

// mapsOf lists the maps of a program, none if the kernel has freed it.
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

// String has the kind and the id of the object, and its name if the kernel still has it and it has
// one.
func (o Object) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %d %s", o.Kind, o.ID, o.name()))
}

func (o Object) name() string {
	switch o.Kind {
	case "prog":
		if p, err := ebpf.NewProgramFromID(ebpf.ProgramID(o.ID)); err == nil {
			defer p.Close()
			if info, err := p.Info(); err == nil {
				return info.Name
			}
		}
	case "map":
		if m, err := ebpf.NewMapFromID(ebpf.MapID(o.ID)); err == nil {
			defer m.Close()
			if info, err := m.Info(); err == nil {
				return info.Name
			}
		}
	}
	return ""
}

func sorted(set map[Object]bool) []Object {
	list := slices.Collect(maps.Keys(set))
	slices.SortFunc(list, func(a, b Object) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return list
}

package loader

import (
	"maps"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/pinwatch/pinwatch/bpf"
)

// objects are what every session has in the kernel.
type objects struct {
	programs
	bpf.PinwatchMaps
	bpf.PinwatchVariables
}

// programs are those that every session has. Programs on system calls come on top, one of the two kinds of each (syscalls.go).
type programs struct {
	PwNewtask     *ebpf.Program `ebpf:"pw_newtask"`
	PwSwitch      *ebpf.Program `ebpf:"pw_switch"`
	PwWaking      *ebpf.Program `ebpf:"pw_waking"`
	PwWakeupNew   *ebpf.Program `ebpf:"pw_wakeup_new"`
	PwMigrate     *ebpf.Program `ebpf:"pw_migrate"`
	PwProcessExit *ebpf.Program `ebpf:"pw_process_exit"`
	PwProcessFree *ebpf.Program `ebpf:"pw_process_free"`
	PwExec        *ebpf.Program `ebpf:"pw_exec"`
	PwGenerate    *ebpf.Program `ebpf:"pw_generate"`
	PwDeliver     *ebpf.Program `ebpf:"pw_deliver"`
	PwPin         *ebpf.Program `ebpf:"pw_pin"`
	PwPrepare     *ebpf.Program `ebpf:"pw_prepare"`
	PwSnapshot    *ebpf.Program `ebpf:"pw_snapshot"`
}

// collection is what a session has loaded, and what more can be loaded from. Whatever is in objects belongs to it.
type collection struct {
	*ebpf.Collection
	spec  *ebpf.CollectionSpec
	types *btf.Cache // the kernel's
}

// load brings into the kernel all of spec but its programs on system calls, and hands it to objs, too.
func load(spec *ebpf.CollectionSpec, types *btf.Cache, objs *objects) (_ *collection, err error) {
	c := &collection{spec: spec, types: types}
	if c.Collection, err = ebpf.NewCollection(&ebpf.CollectionSpec{Maps: spec.Maps, Variables: spec.Variables, Types: spec.Types, ByteOrder: spec.ByteOrder}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	rest := maps.Clone(spec.Programs)
	for _, h := range syscallHooks {
		delete(rest, h.tracepointProgram())
		delete(rest, h.functionProgram())
	}
	// The kernel takes as long to verify this one as all others together.
	const longest = "pw_switch"
	delete(rest, longest)
	if err := c.add([]string{longest}, slices.Collect(maps.Keys(rest))); err != nil {
		return nil, err
	}
	all := ebpf.Collection{Programs: maps.Clone(c.Programs), Maps: maps.Clone(c.Maps), Variables: maps.Clone(c.Variables)}
	return c, all.Assign(objs)
}

// add loads more programs, which work on the same maps, the groups side by side: all of them or none.
func (c *collection) add(groups ...[]string) error {
	var wg sync.WaitGroup
	added, errs := make([]*ebpf.Collection, len(groups)), make([]error, len(groups))
	for i, names := range groups {
		more := *c.spec
		more.Programs = map[string]*ebpf.ProgramSpec{}
		for _, name := range names {
			more.Programs[name] = c.spec.Programs[name]
		}
		more.Variables = nil // they are in the maps
		wg.Go(func() {
			added[i], errs[i] = ebpf.NewCollectionWithOptions(&more, ebpf.CollectionOptions{MapReplacements: c.Maps, Cache: c.types})
		})
	}
	wg.Wait()
	var err error // one will do: the same is wrong with all
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		err = errs[i]
	}
	for i, a := range added {
		if a == nil {
			continue
		}
		if err == nil {
			for _, name := range groups[i] {
				c.Programs[name] = a.DetachProgram(name)
			}
		}
		a.Close()
	}
	return err
}

package loader

import (
	"maps"

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
	types *btf.Cache // the kernel's, which every load needs
}

// load brings into the kernel all of spec but its programs on system calls, and hands it to objs, too.
func load(spec *ebpf.CollectionSpec, objs *objects) (*collection, error) {
	first := *spec
	first.Programs = maps.Clone(spec.Programs)
	for _, h := range syscallHooks {
		delete(first.Programs, h.tracepointProgram())
		delete(first.Programs, h.functionProgram())
	}
	c := &collection{spec: spec, types: btf.NewCache()}
	var err error
	if c.Collection, err = ebpf.NewCollectionWithOptions(&first, ebpf.CollectionOptions{Cache: c.types}); err != nil {
		return nil, err
	}
	all := ebpf.Collection{Programs: maps.Clone(c.Programs), Maps: maps.Clone(c.Maps), Variables: maps.Clone(c.Variables)}
	if err := all.Assign(objs); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// add loads more programs, which work on the same maps: all of them or none.
func (c *collection) add(names []string) error {
	more := *c.spec
	more.Programs = map[string]*ebpf.ProgramSpec{}
	for _, name := range names {
		more.Programs[name] = c.spec.Programs[name]
	}
	more.Variables = nil // they are in the maps
	added, err := ebpf.NewCollectionWithOptions(&more, ebpf.CollectionOptions{MapReplacements: c.Maps, Cache: c.types})
	if err != nil {
		return err
	}
	defer added.Close()
	for _, name := range names {
		c.Programs[name] = added.DetachProgram(name)
	}
	return nil
}

package loader

import (
	"maps"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/pinwatch/pinwatch/bpf"
)

// objects are the maps and variables of a session.
type objects struct {
	bpf.PinwatchMaps
	bpf.PinwatchVariables
}

// collection is everything that a session has loaded, and the source of further programs. It owns
// what is in objects.
type collection struct {
	*ebpf.Collection
	source *kernelSide
	types  *btf.Cache // the kernel's
	rings  []*ebpf.Map
}

func (c *collection) Close() {
	if c.Collection != nil {
		c.Collection.Close()
	}
	for _, r := range c.rings {
		r.Close()
	}
}

// makeRings makes the ring buffers and puts them into the spec of the map that holds them.
func (c *collection) makeRings(holder *ebpf.MapSpec) error {
	for i := range holder.MaxEntries {
		r, err := ebpf.NewMap(holder.InnerMap)
		if err != nil {
			return err
		}
		c.rings = append(c.rings, r)
		holder.Contents = append(holder.Contents, ebpf.MapKV{Key: i, Value: r})
	}
	return nil
}

// load loads all of k except its programs on system calls, and assigns maps and variables to objs.
func load(k *kernelSide, types *btf.Cache, objs *objects) (_ *collection, err error) {
	c := &collection{source: k, types: types}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := c.makeRings(k.Rings); err != nil {
		return nil, err
	}
	c.Collection, err = ebpf.NewCollection(&ebpf.CollectionSpec{
		Maps: k.Maps, Variables: k.Variables, Types: k.Types, ByteOrder: k.ByteOrder,
	})
	if err != nil {
		return nil, err
	}
	rest := maps.Clone(k.Programs)
	for _, h := range syscallHooks {
		delete(rest, h.tracepointProgram())
		delete(rest, h.functionProgram())
	}
	// The kernel takes as long to verify this one as all others together.
	longest := k.PwSwitch.Name
	delete(rest, longest)
	if err := c.add([]string{longest}, slices.Collect(maps.Keys(rest))); err != nil {
		return nil, err
	}
	return c, (&ebpf.Collection{Maps: maps.Clone(c.Maps), Variables: maps.Clone(c.Variables)}).Assign(objs)
}

// add loads more programs that use the same maps, the groups in parallel: all programs or none.
func (c *collection) add(groups ...[]string) error {
	var wg sync.WaitGroup
	added, errs := make([]*ebpf.Collection, len(groups)), make([]error, len(groups))
	for i, names := range groups {
		more := *c.source.CollectionSpec
		more.Programs = map[string]*ebpf.ProgramSpec{}
		for _, name := range names {
			more.Programs[name] = c.source.Programs[name]
		}
		more.Variables = nil // they are in the maps
		wg.Go(func() {
			added[i], errs[i] = ebpf.NewCollectionWithOptions(&more,
				ebpf.CollectionOptions{MapReplacements: c.Maps, Cache: c.types})
		})
	}
	wg.Wait()
	var err error // the first is enough: all groups fail for the same reason
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

package loader

import (
	"errors"
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
	adding sync.Mutex // to Programs
}

func (c *collection) Close() {
	if c.Collection != nil {
		c.Collection.Close()
	}
	for _, r := range c.rings {
		r.Close()
	}
}

// makeRings makes the ring buffers that the map of them is to hold.
func (c *collection) makeRings(holder *ebpf.MapSpec) error {
	for range holder.MaxEntries {
		r, err := ebpf.NewMap(holder.InnerMap)
		if err != nil {
			return err
		}
		c.rings = append(c.rings, r)
	}
	return nil
}

// Names of programs that are run on demand (bpf/snapshot.bpf.h, bpf/exec.bpf.h).
const (
	prepareProgram   = "pw_prepare"
	snapshotProgram  = "pw_snapshot"
	throttledProgram = "pw_throttled"
	resolveProgram   = "pw_resolve"
	orderProgram     = "pw_order"
)

// fillRings puts the ring buffers into the map of them, in parallel: each waits for a grace period of
// the kernel (kernel/bpf/syscall.c, maybe_wait_bpf_programs). They are not in the map's spec, or each
// call of add would put them in again.
func (c *collection) fillRings(holder *ebpf.Map) error {
	var wg sync.WaitGroup
	errs := make([]error, len(c.rings))
	for i, r := range c.rings {
		wg.Go(func() { errs[i] = holder.Put(uint32(i), r) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// load loads the maps of k, and assigns them and the variables to objs. filled has the error of filling
// the map of ring buffers.
func load(k *kernelSide, types *btf.Cache, objs *objects) (_ *collection, filled <-chan error, err error) {
	c := &collection{source: k, types: types}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := c.makeRings(k.Rings); err != nil {
		return nil, nil, err
	}
	c.Collection, err = ebpf.NewCollection(&ebpf.CollectionSpec{
		Maps: k.Maps, Variables: k.Variables, Types: k.Types, ByteOrder: k.ByteOrder,
	})
	if err != nil {
		return nil, nil, err
	}
	c.Programs = map[string]*ebpf.Program{}
	err = (&ebpf.Collection{Maps: maps.Clone(c.Maps), Variables: maps.Clone(c.Variables)}).Assign(objs)
	if err != nil {
		return nil, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- c.fillRings(objs.Rings) }()
	return c, done, nil
}

// add loads programs that use the maps, in parallel: all programs or none.
func (c *collection) add(names ...string) error {
	var wg sync.WaitGroup
	added, errs := make([]*ebpf.Program, len(names)), make([]error, len(names))
	for i, name := range names {
		wg.Go(func() { added[i], errs[i] = c.one(name) })
	}
	wg.Wait()
	var err error // the first is enough: all fail for the same reason
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		err = errs[i]
	}
	c.adding.Lock()
	defer c.adding.Unlock()
	for i, p := range added {
		switch {
		case err == nil:
			c.Programs[names[i]] = p
		case p != nil:
			p.Close()
		}
	}
	return err
}

// one loads a program that uses the maps. The caller owns it.
func (c *collection) one(name string) (*ebpf.Program, error) {
	more := *c.source.CollectionSpec
	more.Programs = map[string]*ebpf.ProgramSpec{name: c.source.Programs[name]}
	more.Variables = nil // they are in the maps
	added, err := ebpf.NewCollectionWithOptions(&more,
		ebpf.CollectionOptions{MapReplacements: c.Maps, Cache: c.types})
	if err != nil {
		return nil, err
	}
	defer added.Close()
	return added.DetachProgram(name), nil
}

// later is a program that is loaded when it is needed: the kernel verifies some for longer than an
// observation may take to begin.
type later struct {
	name string
	from *collection // with the sources as they were; nil = it was loaded, or will not be
	once sync.Once
	prog *ebpf.Program // owned
	err  error
}

func (c *collection) later(name string) *later {
	return &later{name: name, from: &collection{Collection: c.Collection, source: c.source, types: c.types}}
}

// get loads the program, at the first call.
func (l *later) get() (*ebpf.Program, error) {
	l.once.Do(func() {
		if l.prog, l.err = l.from.one(l.name); l.err != nil {
			l.err = explainLoad("load BPF programs", l.err)
		}
		l.from = nil
	})
	return l.prog, l.err
}

// Close releases the program. It may be nil.
func (l *later) Close() error {
	if l == nil {
		return nil
	}
	l.once.Do(func() { l.from, l.err = nil, errors.New("closed") })
	if l.prog == nil {
		return nil
	}
	return l.prog.Close()
}

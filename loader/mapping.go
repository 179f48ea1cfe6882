package loader

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// mappings are maps of the kernel side in this process's memory. They outlive what points to them.
type mappings [][]byte

func (m *mappings) Close() (err error) {
	for _, b := range *m {
		err = errors.Join(err, unix.Munmap(b))
	}
	*m = nil
	return err
}

// mapArray maps an array whose values have the given size, a multiple of 8.
func (m *mappings) mapArray(a *ebpf.Map, size uintptr) (unsafe.Pointer, error) {
	if uintptr(a.ValueSize()) != size {
		return nil, fmt.Errorf("map %v: its values have %d bytes, want %d", a, a.ValueSize(), size)
	}
	b, err := unix.Mmap(a.FD(), 0, int(size)*int(a.MaxEntries()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %v: %w", a, err)
	}
	*m = append(*m, b)
	return unsafe.Pointer(unsafe.SliceData(b)), nil
}

// mapped is an array of the kernel side in this process's memory.
func mapped[T any](m *mappings, a *ebpf.Map) ([]T, error) {
	var value T
	p, err := m.mapArray(a, unsafe.Sizeof(value))
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*T)(p), a.MaxEntries()), nil
}

// mapAlone maps what the kernel side knows of a Session's target. It is among the global variables.
func (s *Shared) mapAlone(alone *ebpf.VariableSpec) (*bpf.PinwatchTarget, error) {
	m := s.loaded.Maps[alone.SectionName]
	p, err := s.mapped.mapArray(m, uintptr(m.ValueSize()))
	if err != nil {
		return nil, err
	}
	return (*bpf.PinwatchTarget)(unsafe.Add(p, alone.Offset)), nil
}

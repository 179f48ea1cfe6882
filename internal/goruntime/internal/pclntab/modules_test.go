package pclntab

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// modMemory is memory that holds moduledata, from memBase on.
type modMemory []byte

const memBase = 1 << 20

func (m modMemory) space() *objfile.Space {
	base := uint64(memBase)
	return objfile.MemorySpace(bytes.NewReader(m), -base)
}

func (m modMemory) put(addr uint64, words ...uint64) {
	for i, w := range words {
		binary.LittleEndian.PutUint64(m[addr-memBase+8*uint64(i):], w)
	}
}

// module puts moduledata of the layout of magic at addr, with n functions from start to end and a link
// to next in one of its last words.
func (m modMemory) module(magic uint32, addr, start, end, next uint64) {
	header := addr + 0x800
	binary.LittleEndian.PutUint32(m[header-memBase:], magic)
	m[header-memBase+6], m[header-memBase+7] = 1, 8
	const n = 7
	m.put(header+8, n)
	words := make([]uint64, 74)
	minPC, functab := 20, 16
	if layouts[magic].headerWords == 1 {
		minPC, functab = 10, 3
	}
	words[0], words[functab+1], words[functab+2] = header, n+1, n+1
	words[minPC], words[minPC+1], words[minPC+2], words[minPC+3] = start, end, start, end
	words[73] = next
	m.put(addr, words...)
}

func (m modMemory) list(t *testing.T, first uint64) *Modules {
	t.Helper()
	l := &Modules{mem: m.space()}
	mod, err := l.read(first)
	if err != nil {
		t.Fatal(err)
	}
	l.List = []Module{mod}
	return l
}

// TestModules: the list grows by what is linked to its end, in every layout, and a list that leads back
// ends.
func TestModules(t *testing.T) {
	const first, second, third = memBase, memBase + 0x1000, memBase + 0x2000
	for magic := range layouts {
		m := make(modMemory, 1<<16)
		m.module(magic, first, 0x1000, 0x2000, 0)
		l := m.list(t, first)
		steps := []struct {
			change func()
			starts []uint64
		}{
			{func() {}, []uint64{0x1000}},
			{func() { m.put(first+8*73, second) }, []uint64{0x1000}}, // there is nothing yet
			{func() {
				m.module(magic, second, 0x3000, 0x4000, 0)
				m.put(first+8*72, 1) // the link is in place when the data is, and then data changes no more
			}, []uint64{0x1000, 0x3000}},
			{func() {
				m.module(magic, third, 0x5000, 0x6000, first)
				m.put(second+8*73, third)
			}, []uint64{0x1000, 0x3000, 0x5000}},
			{func() {}, []uint64{0x1000, 0x3000, 0x5000}},
		}
		for i, s := range steps {
			s.change()
			if err := l.Grow(); err != nil {
				t.Fatal(err)
			}
			var starts []uint64
			for _, mod := range l.List {
				starts = append(starts, mod.Start)
			}
			if len(starts) != len(s.starts) || starts[len(starts)-1] != s.starts[len(s.starts)-1] {
				t.Errorf("magic %#x, step %d: %#x, want %#x", magic, i, starts, s.starts)
			}
		}
	}
}

// TestModulesBounded: a hostile program's list has an end.
func TestModulesBounded(t *testing.T) {
	const n = 2 * maxModules
	m := make(modMemory, n*0x1000)
	for i := uint64(0); i < n; i++ {
		m.module(0xfffffff1, memBase+i*0x1000, 0x1000, 0x2000, memBase+(i+1)%n*0x1000)
	}
	l := m.list(t, memBase)
	if err := l.Grow(); err != nil || len(l.List) != maxModules {
		t.Errorf("%d modules, %v, want %d", len(l.List), err, maxModules)
	}
	last := make(modMemory, 0x1000) // moduledata at the end of what is mapped
	last.module(0xfffffff1, memBase, 0x1000, 0x2000, 0)
	if _, err := last.list(t, memBase).read(memBase + 0xf00); err == nil {
		t.Error("moduledata beyond the end of memory was read")
	}
}

// FuzzModules follows lists of any data.
func FuzzModules(f *testing.F) {
	m := make(modMemory, 0x3000)
	m.module(0xfffffff1, memBase, 0x1000, 0x2000, memBase+0x1000)
	m.module(0xfffffffb, memBase+0x1000, 0x3000, 0x4000, memBase)
	f.Add([]byte(m), uint64(memBase))
	for range 8 {
		forged := bytes.Clone(m)
		binary.LittleEndian.PutUint64(forged[8*rand.IntN(200):], rand.Uint64())
		f.Add(forged, uint64(memBase))
	}
	f.Fuzz(func(t *testing.T, data []byte, first uint64) {
		l := &Modules{mem: modMemory(data).space()}
		mod, err := l.read(first)
		if err != nil {
			return
		}
		l.List = []Module{mod}
		if err := l.Grow(); err == nil && len(l.List) > maxModules {
			t.Errorf("%d modules", len(l.List))
		}
	})
}

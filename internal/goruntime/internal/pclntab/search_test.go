package pclntab

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// hide does to a table of the newest layout what garble does.
func hide(table []byte) []byte {
	le := binary.LittleEndian
	table = slices.Clone(table)
	le.PutUint32(table, 0x12345678)
	functab := le.Uint64(table[maxHeader-8:])
	for i := range le.Uint64(table[8:]) {
		at := functab + uint64(le.Uint32(table[functab+8*i+4:]))
		nameOff := le.Uint32(table[at+4:])
		le.PutUint32(table[at:], le.Uint32(table[at:])^(nameOff*0x9e3779b9+0x55))
	}
	return table
}

// TestHiddenTable: a table without its magic number and with encrypted entries is as good as
// another.
func TestHiddenTable(t *testing.T) {
	data := hide(makeTable(newestMagic, sample))
	tab, err := readTable(bytes.NewReader(data), int64(len(data)), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	got, err := tab.find(mainFunc, "runtime.asyncPreempt", "twice", "absent")
	if want := map[string]uint64{mainFunc: 0x1000, "runtime.asyncPreempt": 0x1140}; err != nil || !maps.Equal(got, want) {
		t.Errorf("find = %#x, %v, want %#x", got, err, want)
	}
	table, tree := forge(newestMagic, 1)
	table = hide(table)
	s, err := forgedSymbols(bytes.NewReader(table), int64(len(table)), tree)
	if err != nil {
		t.Fatal(err)
	}
	want := []Frame{{"main.in[...]", "/src/b.go", 20}, {"main.main", "/src/a.go", 11}}
	if got := s.Frames(0x1010); !slices.Equal(got, want) {
		t.Errorf("Frames = %+v, want %+v", got, want)
	}
}

// TestUnknownLayout: a header that is neither known nor hidden is refused.
func TestUnknownLayout(t *testing.T) {
	whole := hide(makeTable(newestMagic, sample))
	for name, change := range map[string]func(b []byte){
		"no functions":       func(b []byte) { binary.LittleEndian.PutUint64(b[8:], 0) },
		"names not after it": func(b []byte) { b[maxHeader-40]++ },
		"parts not in order": func(b []byte) { b[maxHeader-16]-- },
		"parts outside":      func(b []byte) { b[maxHeader-1] = 1 },
		"parts of no size": func(b []byte) {
			copy(b[maxHeader-32:maxHeader], bytes.Repeat(b[maxHeader-40:maxHeader-32], 4))
		},
		"pointers of 4 bytes": func(b []byte) { b[7] = 4 },
	} {
		b := slices.Clone(whole)
		change(b)
		if tab, err := readTable(bytes.NewReader(b), int64(len(b)), bytes.NewReader(b)); err == nil {
			t.Errorf("%s: read as %+v", name, tab.layout)
		}
	}
}

// memory is the memory of a process from address 0, of which the pieces in holes cannot be read.
type memory struct {
	data  []byte
	holes map[int64]bool // by number of the page
	read  int64
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		at := off + int64(i)
		if at >= int64(len(m.data)) || m.holes[at/4096] {
			return i, errors.New("no memory there")
		}
		p[i] = m.data[at]
	}
	m.read += int64(len(p))
	return len(p), nil
}

func (m *memory) image(flags elf.ProgFlag) *objfile.Image {
	size := uint64(len(m.data))
	return objfile.MemoryImage(m, elf.EM_X86_64, []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Flags: uint32(flags), Filesz: size, Memsz: size},
	})
}

// TestSearchSegments finds the table of a program in memory, among headers without a table and
// memory that cannot be read.
func TestSearchSegments(t *testing.T) {
	for magic, hidden := range map[uint32]bool{0xfffffffb: false, 0xfffffffa: false, 0xfffffff0: false,
		newestMagic: true} {
		table := makeTable(magic, sample)
		if hidden {
			table = hide(table)
		}
		for _, at := range []int64{8, objfile.ViewSize - 8, objfile.ViewSize - maxHeader, 5 * objfile.ViewSize} {
			m := &memory{data: make([]byte, 6*objfile.ViewSize), holes: map[int64]bool{}}
			// Without the place of the names in the header, all that follows is searched for them.
			m.holes[3*objfile.ViewSize/4096] = layouts[magic].headerWords > 1
			copy(m.data[at:], table)
			decoy := 2*objfile.ViewSize + 8
			copy(m.data[decoy:], table[:maxHeader]) // it names nothing
			sec, err := searchSegments(m.image(elf.PF_R))
			if err != nil || sec.Addr != uint64(at) || sec.Off != at || sec.Size != int64(len(m.data))-at {
				t.Errorf("%#x: found %+v, %v, want it at %#x", magic, sec, err, at)
			}
		}
	}
	m := &memory{data: make([]byte, 1<<20)}
	if sec, err := searchSegments(m.image(elf.PF_R)); err == nil {
		t.Errorf("found %+v in zeros", sec)
	}
	if Present(m.image(elf.PF_R)) {
		t.Error("present in zeros")
	}
}

// TestSearchSegmentsHostile: memory full of what looks like tables costs bounded reads.
func TestSearchSegmentsHostile(t *testing.T) {
	for name, header := range map[string][]byte{
		"known": makeTable(newestMagic, sample)[:maxHeader], "hidden": hide(makeTable(newestMagic, sample))[:maxHeader],
		"no header": append(bytes.Repeat([]byte{0xee}, 4), 0, 0, 1, 8),
	} {
		m := &memory{data: bytes.Repeat(append(header, make([]byte, -len(header)&7)...), 1<<20/len(header))}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		sec, err := searchSegments(m.image(elf.PF_R))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: found %+v", name, sec)
		}
		t.Logf("%s: %v: %v, %d bytes read", name, err, time.Since(start), m.read)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 || m.read > 8<<20 {
			t.Errorf("%s: %d bytes allocated, %d read", name, n, m.read)
		}
	}
}

// TestSearchModule finds runtime.firstmoduledata by its pointers to the table and to its names.
func TestSearchModule(t *testing.T) {
	table := makeTable(newestMagic, sample)
	const tableAt = 4096
	for _, places := range [][]int{{8192}, {}, {8192, 12288}} {
		m := &memory{data: make([]byte, 1<<16)}
		copy(m.data[tableAt:], table)
		binary.LittleEndian.PutUint64(m.data[16384:], tableAt) // without the names
		for _, at := range places {
			binary.LittleEndian.PutUint64(m.data[at:], tableAt)
			binary.LittleEndian.PutUint64(m.data[at+8:], tableAt+maxHeader)
		}
		img := m.image(elf.PF_R | elf.PF_W)
		tab, err := readTable(bytes.NewReader(table), int64(len(table)), bytes.NewReader(table))
		if err != nil {
			t.Fatal(err)
		}
		sec, err := searchModule(img, img.Space(), tab, tableAt)
		if one := len(places) == 1; one != (err == nil) || one && sec.Addr != uint64(places[0]) {
			t.Errorf("%v: found %+v, %v", places, sec, err)
		}
	}
}

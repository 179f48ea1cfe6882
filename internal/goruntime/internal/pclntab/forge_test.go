package pclntab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

const (
	forgeText = 0x1000  // address of the functions
	forgeAddr = 0x10000 // address of the table
)

// A step of a table by program counter: value up to the offset end of the function.
type step struct{ value, end int32 }

func forgeSteps(quantum int32, steps ...step) (b []byte) {
	at, value := int32(0), int32(-1)
	for _, s := range steps {
		delta := s.value - value
		b = binary.AppendUvarint(b, uint64(uint32(delta<<1^delta>>31)))
		b = binary.AppendUvarint(b, uint64((s.end-at)/quantum))
		at, value = s.end, s.value
	}
	return append(b, 0)
}

// forge makes a table of the layout of magic, followed by a tree of inlined calls, whose address it
// returns. It has main.main from 0x1000, with a call of main.in[...] inlined from 0x1010 to 0x1020,
// and main.other from 0x1040 to 0x1080.
func forge(magic uint32, quantum byte) (table []byte, tree uint64) {
	l := layouts[magic]
	le := binary.LittleEndian
	old := l.headerWords == 1
	q := int32(quantum)
	put := func(b []byte, v ...uint32) []byte {
		for _, v := range v {
			b = le.AppendUint32(b, v)
		}
		return b
	}
	field := func(b []byte, v uint64) []byte {
		if l.field == 8 {
			return le.AppendUint64(b, v)
		}
		return le.AppendUint32(b, uint32(v))
	}
	align := func(b []byte) []byte { return append(b, make([]byte, -len(b)&7)...) }

	// Names, files and steps. Offset 0 in each means none.
	const first = "\x00"
	names := first + "main.main\x00main.in[go.shape.int]\x00main.other\x00"
	files := first + "/src/a.go\x00/src/b.go\x00"
	nameOff := func(s string) uint32 { return uint32(strings.Index(names, s)) }
	pcs := []byte(first)
	add := func(steps ...step) uint32 {
		off := len(pcs)
		pcs = append(pcs, forgeSteps(q, steps...)...)
		return uint32(off)
	}
	number := int32(0) // of the first file
	if old {
		number = 1
	}
	mainFile := add(step{number, 0x10}, step{number + 1, 0x20}, step{number, 0x40})
	mainLine := add(step{10, 0x10}, step{20, 0x20}, step{11, 0x40})
	mainTree := add(step{-1, 0x10}, step{0, 0x20}, step{-1, 0x40})
	otherFile, otherLine := add(step{number, 0x38}), add(step{30, 0x38})

	header := append(put(nil, magic), 0, 0, quantum, 8)
	header = le.AppendUint64(header, 2)
	var at struct{ names, units, files, pcs uint32 }
	var body []byte // the parts before functab since Go 1.16
	size := prefixSize + 8*l.headerWords
	if !old {
		place := func(b []byte) uint32 {
			off := size + len(body)
			body = align(append(body, b...))
			return uint32(off)
		}
		at.names, at.units = place([]byte(names)), place(put(nil, 1, 11))
		at.files, at.pcs = place([]byte(files)), place(pcs)
		header = le.AppendUint64(header, 2)
		if l.textStart {
			header = le.AppendUint64(header, forgeText)
		}
		for _, off := range []uint32{at.names, at.units, at.files, at.pcs, uint32(size + len(body))} {
			header = le.AppendUint64(header, uint64(off))
		}
	}
	functab := size + len(body)
	rows := 5 * int(l.field)
	if old {
		// All offsets count from the start of the table. The strings and steps follow the rows.
		list := functab + rows + 4
		at.names = uint32(list + 12)
		at.files = at.names + uint32(len(names))
		at.pcs = at.files + uint32(len(files))
		strs := put(put(nil, uint32(list)), 3, at.files+1, at.files+11)
		body = slices.Concat(strs, []byte(names), []byte(files), pcs)
		body = append(body, make([]byte, -(functab+rows+len(body))&7)...)
	}
	within := func(off uint32, place uint32) uint32 { // an offset into a part, as funcs give it
		if old {
			return off + place
		}
		return off
	}
	entry := func(off uint64) uint64 {
		if l.field == 8 {
			return off + forgeText
		}
		return off
	}
	record := func(off uint64, name, file, line, tree uint32, treeRef uint64) []byte {
		b := put(field(nil, entry(off)), within(name, at.names), 0, 0, 0, within(file, at.pcs), within(line, at.pcs), 3)
		if !old {
			b = put(b, 0)
		}
		if l.startLine {
			b = put(b, 1)
		}
		b = append(b, 0, 0, 0, 5) // nfuncdata
		if tree > 0 {
			tree = within(tree, at.pcs)
		}
		b = put(b, 0, 0, tree)
		if l.field == 4 {
			none := ^uint32(0)
			return align(put(b, none, none, none, uint32(treeRef), none))
		}
		b = align(b)
		refs := make([]uint64, 5)
		refs[3] = treeRef
		if old {
			refs[3], refs[4] = 0, treeRef
		}
		for _, r := range refs {
			b = le.AppendUint64(b, r)
		}
		return b
	}
	start := functab + rows // of the records
	if old {
		start += len(body)
	} else {
		start += -rows & 7
	}
	funcs := functab // origin of func offsets
	if old {
		funcs = 0
	}
	length := len(record(0, 0, 0, 0, 0, 0))
	tree = forgeAddr + uint64(start+2*length)
	ref, noRef := tree, uint64(0)
	if l.field == 4 {
		ref, noRef = 0, uint64(^uint32(0))
	}
	tab := field(field(nil, entry(0)), uint64(start-funcs))
	tab = field(field(tab, entry(0x40)), uint64(start+length-funcs))
	tab = field(tab, entry(0x80))
	if old {
		table = slices.Concat(header, tab, body)
	} else {
		table = align(slices.Concat(header, body, tab))
	}
	table = append(table, record(0, nameOff("main.main"), mainFile, mainLine, mainTree, ref)...)
	table = append(table, record(0x40, nameOff("main.other"), otherFile, otherLine, 0, noRef)...)
	inName := within(nameOff("main.in["), at.names)
	if l.startLine {
		return put(table, 0, inName, 0x20, 5), tree
	}
	return put(table, 0xffff, 0, 0, inName, 0x20), tree
}

// shifted is a table in memory at forgeAddr.
type shifted struct{ io.ReaderAt }

func (r shifted) ReadAt(p []byte, addr int64) (int, error) {
	return r.ReaderAt.ReadAt(p, addr-forgeAddr)
}

// forgedSymbols opens a forged table of the given size.
func forgedSymbols(r io.ReaderAt, size int64, tree uint64) (*Symbols, error) {
	tab, err := readTable(r, size, r)
	if err != nil {
		return nil, err
	}
	var base uint64
	if tab.layout.field == 4 {
		base = forgeText
	}
	table, err := newFuncTable(tab, base)
	if err != nil {
		return nil, err
	}
	start, end, err := table.bounds()
	if err != nil {
		return nil, err
	}
	file := objfile.MemorySpace(shifted{io.NewSectionReader(r, 0, size)}, 0)
	trees := &inlineTrees{table: table, addr: forgeAddr, file: file, gofunc: tree}
	return &Symbols{start: start, end: end, table: table, trees: trees, remembered: make(map[uint64][]Frame)}, nil
}

func TestSymbolsLayouts(t *testing.T) {
	want := map[uint64][]Frame{
		0x0fff: nil,
		0x1000: {{"main.main", "/src/a.go", 10}},
		0x1010: {{"main.in[...]", "/src/b.go", 20}, {"main.main", "/src/a.go", 11}},
		0x101f: {{"main.in[...]", "/src/b.go", 20}, {"main.main", "/src/a.go", 11}},
		0x1020: {{"main.main", "/src/a.go", 11}},
		0x1040: {{"main.other", "/src/a.go", 30}},
		0x1078: {{"main.other", "", 0}},
		0x1080: nil,
	}
	for magic, l := range layouts {
		for _, quantum := range []byte{1, 4} {
			t.Run(fmt.Sprintf("%#x/%d", magic, quantum), func(t *testing.T) {
				table, tree := forge(magic, quantum)
				s, err := forgedSymbols(bytes.NewReader(table), int64(len(table)), tree)
				if err != nil {
					t.Fatal(err)
				}
				if start, end := s.Text(); start != 0x1000 || end != 0x1080 {
					t.Errorf("Text = %#x, %#x", start, end)
				}
				for pc, want := range want {
					want = slices.Clone(want)
					for i := range want {
						if !l.startLine {
							want[i].Func = strings.Replace(want[i].Func, "[...]", "[go.shape.int]", 1)
						}
					}
					if got := s.Frames(pc); !slices.Equal(got, want) || (got == nil) != (want == nil) {
						t.Errorf("Frames(%#x) = %+v, want %+v", pc, got, want)
					}
				}
			})
		}
	}
}

// TestSymbolsWithoutTrees: if the inlined calls cannot be read, the result is the one function.
func TestSymbolsWithoutTrees(t *testing.T) {
	table, tree := forge(0xfffffff1, 1)
	want := []Frame{{"main.main", "/src/b.go", 20}}
	for name, change := range map[string]func(s *Symbols, table []byte){
		"unknown":        func(s *Symbols, _ []byte) { s.trees.unknown = errors.New("not found") },
		"unreadable":     func(s *Symbols, _ []byte) { s.trees.gofunc = 1 << 40 },
		"no name there":  func(_ *Symbols, b []byte) { b[len(b)-12]++ },
		"beyond the end": func(_ *Symbols, b []byte) { b[len(b)-8] = 0x40 },
		"calls itself":   func(_ *Symbols, b []byte) { b[len(b)-8] = 0x10 },
		"no such name":   func(_ *Symbols, b []byte) { b[len(b)-12] = 0xff },
	} {
		forged := slices.Clone(table)
		s, err := forgedSymbols(bytes.NewReader(forged), int64(len(forged)), tree)
		if err != nil {
			t.Fatal(err)
		}
		change(s, forged)
		if got := s.Frames(0x1010); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

func TestSymbolsText(t *testing.T) {
	for in, want := range map[string]string{
		"main.f":                   "main.f",
		"a\x1b[31mb\x9b\n\u202ec":  "a�[31mb���c",
		strings.Repeat("é", 600):   strings.Repeat("é", 510) + "…",
		strings.Repeat("x", 1024):  strings.Repeat("x", 1024),
		strings.Repeat("x", 1025):  strings.Repeat("x", 1021) + "…",
		"世界.Привет(*T).func1 [α]…": "世界.Привет(*T).func1 [α]…",
	} {
		if got := clean(in); got != want || len(got) > maxName {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"main.f": "main.f", "main.f[go.shape.int]": "main.f[...]", "main.(*T[a[b],c]).m.func1": "main.(*T[...]).m.func1",
		"[": "[", "]x[": "]x[", "f[...]": "f[...]",
	} {
		if got := elide(in); got != want {
			t.Errorf("elide(%q) = %q, want %q", in, got, want)
		}
	}
}

// countingReader counts the bytes read. After data it has steps without end.
type countingReader struct {
	data []byte
	n    int
}

func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	r.n += len(p)
	for i := range p {
		p[i] = byte(2 - 2*((off+int64(i))&1))
	}
	if off < int64(len(r.data)) {
		copy(p, r.data[off:])
	}
	return len(p), nil
}

// TestSymbolsEndless: a table by program counter without an end costs no more than the budget.
func TestSymbolsEndless(t *testing.T) {
	for magic, l := range layouts {
		table, tree := forge(magic, 1)
		at := bytes.Index(table, binary.LittleEndian.AppendUint32(nil, 3)) // npcdata, after pcln, in the first func
		if l.headerWords == 1 {
			at += bytes.Index(table[at+4:], binary.LittleEndian.AppendUint32(nil, 3)) + 4 // after the number of files
		}
		binary.LittleEndian.PutUint32(table[at-4:], uint32(len(table)+100))
		r := &countingReader{data: table}
		s, err := forgedSymbols(r, 4<<30, tree)
		if err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		got := s.Frames(0x1000)
		t.Logf("%#x: %v, %d bytes, %+v", magic, time.Since(before), r.n, got)
		if len(got) != 1 || got[0] != (Frame{Func: "main.main"}) {
			t.Errorf("%#x: %+v", magic, got)
		}
		if r.n > 2*lookUpBudget || r.n < lookUpBudget/2 {
			t.Errorf("%#x: %d bytes read", magic, r.n)
		}
	}
}

func FuzzSymbols(f *testing.F) {
	for magic := range layouts {
		for _, quantum := range []byte{1, 4} {
			table, tree := forge(magic, quantum)
			f.Add(table, tree, uint64(0x1010))
		}
	}
	f.Fuzz(func(t *testing.T, table []byte, tree, pc uint64) {
		r := &countingReader{data: table}
		s, err := forgedSymbols(r, int64(len(table)), tree)
		if err != nil {
			return
		}
		for _, pc := range []uint64{pc, s.start, s.end - 1, s.start + pc%(s.end-s.start)} {
			r.n = 0
			frames := s.Frames(pc)
			if r.n > lookUpBudget+blockSize {
				t.Errorf("%d bytes read", r.n)
			}
			if len(frames) > maxInlined+1 {
				t.Errorf("%d frames", len(frames))
			}
			for _, f := range frames {
				if f.Func == "" || len(f.Func) > maxName || len(f.File) > maxName ||
					strings.ContainsFunc(f.Func+f.File, unicode.IsControl) {
					t.Errorf("%+v", f)
				}
				if f.Line < 0 || (f.File == "") != (f.Line == 0) {
					t.Errorf("%+v", f)
				}
			}
			if name := s.Name(pc); frames != nil && name != frames[len(frames)-1].Func {
				t.Errorf("Name = %q, Frames = %+v", name, frames)
			}
			r.n = 0
			if fn, ok := s.find(pc); ok {
				if name, err := s.onlyCall(fn); (name == "") != (err != nil) || len(name) > maxName {
					t.Errorf("only call %q, %v", name, err)
				}
			}
			if r.n > lookUpBudget+blockSize {
				t.Errorf("%d bytes read for the only call", r.n)
			}
			if entry, ok := s.Entry(pc); frames != nil && (!ok || entry > pc) {
				t.Errorf("Entry = %#x, %t for %#x", entry, ok, pc)
			}
		}
	})
}

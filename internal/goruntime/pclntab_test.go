package goruntime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"runtime"
	"slices"
	"testing"
)

// A function of a table made by hand.
type fn struct {
	name  string
	entry uint64
}

var sample = []fn{
	{fnMain, 0x1000}, {"my" + fnMain, 0x1040}, {"twice", 0x1080}, {"twice", 0x10c0}, {fnAsyncPreempt + "2", 0x1100}, {fnAsyncPreempt, 0x1140},
}

// makePclntab writes a table of the layout that magic stands for, as far as names and entries go.
func makePclntab(magic uint32, funcs []fn) []byte {
	l := layouts[magic]
	le := binary.LittleEndian
	field := func(b []byte, v uint64) []byte {
		if l.field == 8 {
			return le.AppendUint64(b, v)
		}
		return le.AppendUint32(b, uint32(v))
	}
	var names []byte
	nameOff := make([]int, len(funcs))
	seen := make(map[string]int)
	for i, f := range funcs {
		off, ok := seen[f.name]
		if !ok {
			off = len(names)
			seen[f.name] = off
			names = append(append(names, f.name...), 0)
		}
		nameOff[i] = off
	}
	header := le.AppendUint32(nil, magic)
	header = append(header, 0, 0, 1, 8)
	header = le.AppendUint64(header, uint64(len(funcs)))
	namesAt, base := 0, 0 // where the names start; what func offsets count from
	if l.headerWords == 1 {
		namesAt = len(header) + (2*len(funcs)+1)*int(l.field) + len(funcs)*int(l.field+4)
	} else {
		header = le.AppendUint64(header, 0) // files
		if l.textStart {
			header = le.AppendUint64(header, 0x400000)
		}
		size := pclntabPrefix + 8*l.headerWords
		namesAt, base = size, size+len(names)
		for _, off := range []int{namesAt, base, base, base, base} {
			header = le.AppendUint64(header, uint64(off))
		}
		header = append(header, names...)
	}
	rows := (2*len(funcs) + 1) * int(l.field)
	fnAt := rows + len(header) - base
	var tab, bodies []byte
	for i, f := range funcs {
		tab = field(field(tab, f.entry), uint64(fnAt+len(bodies)))
		off := nameOff[i]
		if l.headerWords == 1 {
			off += namesAt
		}
		bodies = le.AppendUint32(field(bodies, f.entry), uint32(off))
	}
	tab = field(tab, funcs[len(funcs)-1].entry+64)
	table := slices.Concat(header, tab, bodies)
	if l.headerWords == 1 {
		table = append(table, names...)
	}
	return table
}

func TestPclntabLayouts(t *testing.T) {
	for magic := range layouts {
		data := makePclntab(magic, sample)
		tab, err := openPclntab(bytes.NewReader(data), int64(len(data)), bytes.NewReader(data))
		if err != nil {
			t.Errorf("%#x: %v", magic, err)
			continue
		}
		got, err := tab.find(fnMain, fnAsyncPreempt, "twice", "absent")
		if want := map[string]uint64{fnMain: 0x1000, fnAsyncPreempt: 0x1140}; err != nil || !maps.Equal(got, want) {
			t.Errorf("%#x: find = %#x, %v, want %#x", magic, got, err, want)
		}
		text, err := tab.textStart()
		if want := map[bool]uint64{true: 0x400000}[layouts[magic].textStart]; err != nil || text != want {
			t.Errorf("%#x: textStart = %#x, %v, want %#x", magic, text, err, want)
		}
		// Whatever is cut off, it is an error, not a panic, nor an answer from behind the end.
		for n := range data {
			tab, err := openPclntab(bytes.NewReader(data), int64(n), bytes.NewReader(data))
			if err != nil {
				continue
			}
			if found, err := tab.find(fnMain, fnAsyncPreempt); err == nil && len(found) == 2 {
				t.Errorf("%#x: all found in %d of %d bytes", magic, n, len(data))
			}
		}
	}
}

func TestFindPclntab(t *testing.T) {
	table := makePclntab(0xfffffff1, sample)
	for _, at := range []int{0, 32, windowSize - 32, 3 * windowSize} {
		data := slices.Concat(make([]byte, at), table)
		if off, err := findPclntab(bytes.NewReader(data), int64(len(data))); err != nil || off != int64(at) {
			t.Errorf("found at %#x, %v, want %#x", off, err, at)
		}
	}
	two := slices.Concat(table, make([]byte, 32-len(table)%32), table)
	if off, err := findPclntab(bytes.NewReader(two), int64(len(two))); err == nil {
		t.Errorf("two tables: found at %#x", off)
	}
}

func TestWindowFind(t *testing.T) {
	// Across the edges of windows, at the end, and as the tail of another string.
	data := make([]byte, 3*windowSize)
	for _, at := range []int{0, windowSize - 3, 2*windowSize - 1, len(data) - 4} {
		copy(data[at:], "abc\x00")
	}
	copy(data[100:], "xxabc\x00abcd\x00")
	left := budget(readBudget)
	hits, err := newWindow(bytes.NewReader(data), int64(len(data)), &left).find(0, int64(len(data)), []string{"abc", "nothing"})
	got := slices.Sorted(maps.Keys(hits))
	if want := []uint32{0, 102, windowSize - 3, 2*windowSize - 1, uint32(len(data) - 4)}; err != nil || !slices.Equal(got, want) {
		t.Errorf("find = %d, %v, want %d", got, err, want)
	}
	many := bytes.Repeat([]byte("abc\x00"), maxHits+1)
	if hits, err := newWindow(bytes.NewReader(many), int64(len(many)), &left).find(0, int64(len(many)), []string{"abc"}); !errors.Is(err, errLimit) {
		t.Errorf("find = %d hits, %v", len(hits), err)
	}
}

// endless is 4 GiB of table behind a head: rows that send the reader from one end to the other.
type endless struct{ head []byte }

func (e endless) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte(off+int64(i)) * 31
	}
	if off < int64(len(e.head)) {
		copy(p, e.head[off:])
	}
	return len(p), nil
}

// Four forged GiB must neither take their size in memory nor the time to read them.
func TestPclntabEndless(t *testing.T) {
	const size = 4 << 30
	for magic, l := range layouts {
		head := makePclntab(magic, sample)
		binary.LittleEndian.PutUint64(head[8:], uint64((size-int64(len(head)))/(2*l.field)-1))
		if l.headerWords > 1 {
			last := pclntabPrefix + 8*l.headerWords
			binary.LittleEndian.PutUint64(head[last-8:], uint64(len(head))) // rows out of what follows
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tab, err := openPclntab(endless{head}, size, endless{head})
		if err != nil {
			t.Fatalf("%#x: %v", magic, err)
		}
		if found, err := tab.find(fnMain); err == nil {
			t.Errorf("%#x: found %v", magic, found)
		} else {
			t.Logf("%#x: %v", magic, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%#x: %d bytes allocated", magic, n)
		}
	}
}

func FuzzPclntab(f *testing.F) {
	for magic := range layouts {
		f.Add(makePclntab(magic, sample))
		f.Add(makePclntab(magic, sample[:1]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		_, _ = findPclntab(r, r.Size())
		tab, err := openPclntab(r, r.Size(), r)
		if err != nil {
			return
		}
		found, err := tab.find(fnMain, fnAsyncPreempt)
		if err != nil {
			return
		}
		_, _ = tab.textStart()
		for name := range found {
			if !bytes.Contains(data, append([]byte(name), 0)) {
				t.Errorf("found %s, which the table does not hold", name)
			}
		}
	})
}

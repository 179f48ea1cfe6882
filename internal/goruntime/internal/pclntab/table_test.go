package pclntab

import (
	"bytes"
	"encoding/binary"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// A fn is a function of a forged table.
type fn struct {
	name  string
	entry uint64
}

var sample = []fn{
	{mainFunc, 0x1000}, {"my" + mainFunc, 0x1040}, {"twice", 0x1080}, {"twice", 0x10c0},
	{"runtime.asyncPreempt2", 0x1100}, {"runtime.asyncPreempt", 0x1140},
}

// makeTable forges a table of the layout of magic, as far as names and entries go.
func makeTable(magic uint32, funcs []fn) []byte {
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
		size := prefixSize + 8*l.headerWords
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

func TestTableLayouts(t *testing.T) {
	for magic := range layouts {
		data := makeTable(magic, sample)
		tab, err := readTable(bytes.NewReader(data), int64(len(data)), bytes.NewReader(data))
		if err != nil {
			t.Errorf("%#x: %v", magic, err)
			continue
		}
		got, err := tab.find(mainFunc, "runtime.asyncPreempt", "twice", "absent")
		if want := map[string]uint64{mainFunc: 0x1000, "runtime.asyncPreempt": 0x1140}; err != nil || !maps.Equal(got, want) {
			t.Errorf("%#x: find = %#x, %v, want %#x", magic, got, err, want)
		}
		text, err := tab.textStart()
		if want := map[bool]uint64{true: 0x400000}[layouts[magic].textStart]; err != nil || text != want {
			t.Errorf("%#x: textStart = %#x, %v, want %#x", magic, text, err, want)
		}
		// A truncated table is an error, not a panic, and nothing is read after its end.
		for n := range data {
			tab, err := readTable(bytes.NewReader(data), int64(n), bytes.NewReader(data))
			if err != nil {
				continue
			}
			if found, err := tab.find(mainFunc, "runtime.asyncPreempt"); err == nil && len(found) == 2 {
				t.Errorf("%#x: all found in %d of %d bytes", magic, n, len(data))
			}
		}
	}
}

func TestSearchTable(t *testing.T) {
	table := makeTable(0xfffffff1, sample)
	for _, at := range []int{0, 32, objfile.ViewSize - 32, 3 * objfile.ViewSize} {
		data := slices.Concat(make([]byte, at), table)
		if off, err := searchTable(bytes.NewReader(data), int64(len(data))); err != nil || off != int64(at) {
			t.Errorf("found at %#x, %v, want %#x", off, err, at)
		}
	}
	two := slices.Concat(table, make([]byte, 32-len(table)%32), table)
	if off, err := searchTable(bytes.NewReader(two), int64(len(two))); err == nil {
		t.Errorf("two tables: found at %#x", off)
	}
}

// endless is a head and 4 GiB of rows that make the reader jump from one end to the other.
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

// TestTableEndless: a forged table of 4 GiB takes neither its size in memory nor the time to read
// it.
func TestTableEndless(t *testing.T) {
	const size = 4 << 30
	for magic, l := range layouts {
		head := makeTable(magic, sample)
		binary.LittleEndian.PutUint64(head[8:], uint64((size-int64(len(head)))/(2*l.field)-1))
		if l.headerWords > 1 {
			last := prefixSize + 8*l.headerWords
			binary.LittleEndian.PutUint64(head[last-8:], uint64(len(head))) // rows out of what follows
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tab, err := readTable(endless{head}, size, endless{head})
		if err != nil {
			t.Fatalf("%#x: %v", magic, err)
		}
		if found, err := tab.find(mainFunc); err == nil {
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

func FuzzTable(f *testing.F) {
	for magic := range layouts {
		f.Add(makeTable(magic, sample))
		f.Add(makeTable(magic, sample[:1]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		_, _ = searchTable(r, r.Size())
		tab, err := readTable(r, r.Size(), r)
		if err != nil {
			return
		}
		found, err := tab.find(mainFunc, "runtime.asyncPreempt")
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

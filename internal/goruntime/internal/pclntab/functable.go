package pclntab

import (
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// A funcTable looks up functions by program counter, which is a link-time address. It follows
// findfunc, pcvalue and funcline1 in runtime/symtab.go of the Go source.
type funcTable struct {
	*table
	base uint64  // the address of an entry is its stored value plus base
	left int     // bytes that the look-up may still spend
	rows *blocks // for rows and entries; relocated if these are addresses
	data *blocks // for all else
}

// A function is one row of the table and the func that it points to (runtime._func).
type function struct {
	entry, end uint64
	at         int64 // offset of the func in the table
	name       uint32
	pcfile     uint32
	pcln       uint32
	unit       uint32 // index of its compilation unit's first file; before Go 1.16: 0
	npcdata    uint32
	id         uint8 // internal/abi.FuncID: 0 except for some functions of the runtime and those that the compiler made
	nfuncdata  uint8
	tables     int64 // offset of the pcdata, which the funcdata follow
}

func newFuncTable(tab *table, base uint64) (*funcTable, error) {
	for _, off := range []int64{tab.units, tab.files, tab.pcs} {
		if off < 0 || off > tab.size {
			return nil, fmt.Errorf("offset %#x outside a table of %#x bytes", off, tab.size)
		}
	}
	t := &funcTable{table: tab, base: base}
	t.data = &blocks{r: tab.r, size: tab.size, left: &t.left}
	t.rows = t.data
	if tab.layout.field == 8 {
		t.rows = &blocks{r: tab.relocated, size: tab.size, left: &t.left}
	}
	return t, nil
}

// bounds returns the entry of the first function and the end of the last.
func (t *funcTable) bounds() (start, end uint64, err error) {
	t.left = lookUpBudget
	if t.nfunc == 0 {
		return 0, 0, errors.New("no functions")
	}
	if start, err = t.row(0); err != nil {
		return 0, 0, err
	}
	if end, err = t.row(t.nfunc); err != nil {
		return 0, 0, err
	}
	if start == t.base && t.layout.field == 8 {
		return 0, 0, fmt.Errorf("entry of the first function: %w", objfile.ErrUnrelocated)
	}
	if start >= end {
		return 0, 0, fmt.Errorf("the first function starts at %#x, the last ends at %#x", start, end)
	}
	return start, end, nil
}

// row returns the entry of function i. For nfunc it returns the end of the last function.
func (t *funcTable) row(i int64) (uint64, error) { return t.address(t.functab + i*2*t.layout.field) }

// address returns the entry that is stored at off, as an address.
func (t *funcTable) address(off int64) (uint64, error) {
	if t.layout.field == 8 {
		v, err := t.rows.uint64(off)
		return t.base + v, err
	}
	v, err := t.rows.uint32(off)
	return t.base + uint64(v), err
}

// find returns the function that contains pc. pc is within the bounds.
func (t *funcTable) find(pc uint64) (function, error) {
	var fn function
	low, high := int64(0), t.nfunc // row low <= pc < row high
	for high-low > 1 {
		mid := low + (high-low)/2
		entry, err := t.row(mid)
		if err != nil {
			return fn, err
		}
		if pc < entry {
			high = mid
		} else {
			low = mid
		}
	}
	var err error
	if fn.entry, err = t.row(low); err != nil {
		return fn, err
	}
	if fn.end, err = t.row(high); err != nil {
		return fn, err
	}
	if fn.at, err = t.offset(low); err != nil {
		return fn, err
	}
	return fn, t.readFunc(&fn)
}

// offset returns the offset in the table of the func of row i.
func (t *funcTable) offset(i int64) (int64, error) {
	var off uint64
	var err error
	if at := t.functab + (2*i+1)*t.layout.field; t.layout.field == 8 {
		off, err = t.data.uint64(at)
	} else {
		var narrow uint32
		narrow, err = t.data.uint32(at)
		off = uint64(narrow)
	}
	if err != nil {
		return 0, err
	}
	if off > uint64(t.size-t.funcs) {
		return 0, fmt.Errorf("func at offset %#x outside the table", off)
	}
	return t.funcs + int64(off), nil
}

// readFunc reads the func at fn.at. Its fields are entry, nameoff, args, deferreturn, pcsp, pcfile,
// pcln, npcdata, since Go 1.16 cuOffset, since 1.20 startLine, then four bytes: the first is
// funcID, the last nfuncdata.
func (t *funcTable) readFunc(fn *function) error {
	entry, err := t.address(fn.at)
	if err != nil {
		return err
	}
	if entry != fn.entry && !t.layout.hidden {
		return fmt.Errorf("the func of the function at %#x has the entry %#x", fn.entry, entry)
	}
	at := fn.at + t.layout.field
	end := int64(28)
	if t.units > 0 {
		if fn.unit, err = t.data.uint32(at + end); err != nil {
			return err
		}
		end += 4
	}
	if t.layout.startLine {
		end += 4
	}
	for _, f := range []struct {
		off int64
		v   *uint32
	}{{0, &fn.name}, {16, &fn.pcfile}, {20, &fn.pcln}, {24, &fn.npcdata}} {
		if *f.v, err = t.data.uint32(at + f.off); err != nil {
			return err
		}
	}
	last, err := t.data.uint32(at + end)
	fn.id, fn.nfuncdata, fn.tables = uint8(last), uint8(last>>24), at+end+4
	return err
}

// value returns the value for pc in the table of fn at off, or -1 if there is none.
func (t *funcTable) value(fn function, off uint32, pc uint64) (int32, error) {
	found := int32(-1)
	err := t.values(fn, off, func(end uint64, val int32) bool {
		if pc < end {
			found = val
		}
		return end <= pc
	})
	return found, err
}

// values calls visit for each row of the table of fn at off, until visit returns false. The value
// of a row holds from the end of the row before it, that of the first row from the entry of fn.
func (t *funcTable) values(fn function, off uint32, visit func(end uint64, val int32) bool) error {
	if off == 0 {
		return nil
	}
	c := cursor{b: t.data, off: t.pcs + int64(off)}
	for at, val := fn.entry, int32(-1); ; {
		delta, err := c.varint()
		if err != nil {
			return err
		}
		if delta == 0 && at != fn.entry {
			return nil
		}
		step, err := c.varint()
		if err != nil {
			return err
		}
		val += int32(-(delta & 1) ^ delta>>1)
		at += uint64(step * t.quantum)
		if !visit(at, val) {
			return nil
		}
	}
}

// pcdata returns the value for pc in table i of fn, or -1 if there is none.
func (t *funcTable) pcdata(fn function, i uint32, pc uint64) (int32, error) {
	off, err := t.pcdataOff(fn, i)
	if err != nil {
		return 0, err
	}
	return t.value(fn, off, pc)
}

// pcdataOff returns the offset of table i of fn, or 0 if there is none.
func (t *funcTable) pcdataOff(fn function, i uint32) (uint32, error) {
	if i >= fn.npcdata {
		return 0, nil
	}
	return t.data.uint32(fn.tables + 4*int64(i))
}

// position returns the file and the line of the instruction at pc in fn, or "" and 0 if the table
// has none.
func (t *funcTable) position(fn function, pc uint64) (string, int, error) {
	number, err := t.value(fn, fn.pcfile, pc)
	if err != nil {
		return "", 0, err
	}
	line, err := t.value(fn, fn.pcln, pc)
	if err != nil || number < 0 || line <= 0 {
		return "", 0, err
	}
	name, err := t.fileName(fn, uint32(number))
	if err != nil || name == "" {
		return "", 0, err
	}
	return name, int(line), nil
}

// fileName returns the file of the given number. The number is an index into a list of offsets: the
// list of the program before Go 1.16, that of the compilation unit of fn since.
func (t *funcTable) fileName(fn function, number uint32) (string, error) {
	if t.units > 0 {
		off, err := t.data.uint32(t.units + 4*(int64(fn.unit)+int64(number)))
		if err != nil || off == ^uint32(0) {
			return "", err
		}
		name, err := t.text(t.files + int64(off))
		return clean(name), err
	}
	list, err := t.data.uint32(t.functab + t.nfunc*2*t.layout.field + t.layout.field)
	if err != nil {
		return "", err
	}
	// The first entry of the list is its length.
	count, err := t.data.uint32(int64(list))
	if err != nil || number == 0 || number >= count {
		return "", err
	}
	off, err := t.data.uint32(int64(list) + 4*int64(number))
	if err != nil {
		return "", err
	}
	name, err := t.text(int64(off))
	return clean(name), err
}

// name returns the function name at off. It is an error if there is none. Since Go 1.16 the first
// name in the table is at 0. The runtime takes that for no name, but its linker and debug/gosym do
// not.
func (t *funcTable) name(off uint32) (string, error) {
	at := t.names + int64(off)
	switch {
	case t.units == 0 && off == 0:
		return "", errors.New("the function has no name")
	case t.units > 0 && at >= t.names+t.nameLen:
		return "", fmt.Errorf("function name at offset %#x outside the names", at)
	case t.units > 0 && off > 0:
		// Each name but the first follows the zero byte of another.
		before := make([]byte, 1)
		if err := t.data.read(before, at-1); err != nil {
			return "", err
		}
		if before[0] != 0 {
			return "", fmt.Errorf("no function name begins at offset %#x", at)
		}
	}
	name, err := t.text(at)
	if err == nil && name == "" {
		err = fmt.Errorf("the function name at offset %#x is empty", at)
	}
	if t.layout.startLine {
		name = elide(name)
	}
	return clean(name), err
}

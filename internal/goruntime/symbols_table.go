package goruntime

import (
	"errors"
	"fmt"
)

// A funcTable looks up functions in pclntab by program counter. Program counters are link-time addresses.
// See runtime/symtab.go of the Go source (findfunc, pcvalue, funcline1).
type funcTable struct {
	*pclntab
	base uint64  // what is stored as an entry, plus base, is an address
	left int     // what the look-up may still spend
	rows *blocks // rows and entries: where they are addresses, relocated
	data *blocks // all else
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
	id         uint8 // internal/abi.FuncID: 0 but for functions of the runtime's and those that the compiler made
	nfuncdata  uint8
	tables     int64 // offset of the pcdata, which the funcdata follow
}

func newFuncTable(tab *pclntab, base uint64) (*funcTable, error) {
	for _, off := range []int64{tab.units, tab.files, tab.pcs} {
		if off < 0 || off > tab.size {
			return nil, fmt.Errorf("offset %#x lies outside a table of %#x bytes", off, tab.size)
		}
	}
	t := &funcTable{pclntab: tab, base: base}
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
		return 0, 0, fmt.Errorf("entry of the first function: %w", errUnrelocated)
	}
	if start >= end {
		return 0, 0, fmt.Errorf("functions from %#x to %#x", start, end)
	}
	return start, end, nil
}

// row returns the entry of function i, or the end of the last one for nfunc.
func (t *funcTable) row(i int64) (uint64, error) { return t.address(t.functab + i*2*t.layout.field) }

// address reads what is stored as an entry.
func (t *funcTable) address(off int64) (uint64, error) {
	if t.layout.field == 8 {
		v, err := t.rows.uint64(off)
		return t.base + v, err
	}
	v, err := t.rows.uint32(off)
	return t.base + uint64(v), err
}

// find returns the function that pc is in. pc is within the bounds.
func (t *funcTable) find(pc uint64) (function, error) {
	var fn function
	low, high := int64(0), t.nfunc // pc is not below row low, and below row high
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

// offset returns where in the table the func of row i is.
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
		return 0, fmt.Errorf("func at offset %#x lies outside the table", off)
	}
	return t.funcs + int64(off), nil
}

// readFunc reads the func at fn.at: entry, nameoff, args, deferreturn, pcsp, pcfile, pcln, npcdata, since Go 1.16 cuOffset,
// since 1.20 startLine, then four bytes: the first is funcID, the last nfuncdata.
func (t *funcTable) readFunc(fn *function) error {
	entry, err := t.address(fn.at)
	if err != nil {
		return err
	}
	if entry != fn.entry {
		return fmt.Errorf("the func of the function at %#x says %#x", fn.entry, entry)
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

// value returns the value for pc in one of fn's tables, which is at off; -1 when there is none.
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

// values calls visit for each row of one of fn's tables, which is at off, until that returns false. A row's value holds from the
// end of the row before, the first one's from fn's entry.
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

// pcdata returns the value for pc in fn's table i; -1 when there is none.
func (t *funcTable) pcdata(fn function, i uint32, pc uint64) (int32, error) {
	off, err := t.pcdataAt(fn, i)
	if err != nil {
		return 0, err
	}
	return t.value(fn, off, pc)
}

// pcdataAt returns where fn's table i is; 0 when there is none.
func (t *funcTable) pcdataAt(fn function, i uint32) (uint32, error) {
	if i >= fn.npcdata {
		return 0, nil
	}
	return t.data.uint32(fn.tables + 4*int64(i))
}

// position returns the file and the line of the instruction at pc in fn; "" and 0 when the table does not tell.
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

// fileName returns the file of the given number: an index into a list of offsets, of the whole program before Go 1.16
// and of fn's compilation unit since.
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
	// The list's first entry is its length.
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

// name returns the function name at off. It is an error if there is none. Since Go 1.16 the first name in the table is at 0,
// which the runtime, but not its linker or debug/gosym, takes for no name.
func (t *funcTable) name(off uint32) (string, error) {
	at := t.names + int64(off)
	switch {
	case t.units == 0 && off == 0:
		return "", errors.New("a function has no name")
	case t.units > 0 && at >= t.names+t.nameLen:
		return "", fmt.Errorf("function name at offset %#x lies outside the names", at)
	case t.units > 0 && off > 0:
		// Names have a place of their own, where each begins behind the zero byte of another.
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

package goruntime

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	inlTreeIndex = 2   // internal/abi.PCDATA_InlTreeIndex
	maxInlined   = 128 // calls inlined into each other
)

// inlineTrees tells which inlined calls an instruction belongs to. A function's tree is a list of calls
// (runtime.inlinedCall); a table by program counter tells the innermost, and each call has an instruction of its caller.
type inlineTrees struct {
	table   *funcTable
	addr    uint64 // link-time address of the table
	bias    uint64 // that pointers in the table are stored with
	file    *space // holds the trees, which no relocation changes
	gofunc  uint64 // since Go 1.18: the address that trees' offsets count from
	unknown error  // why there is no gofunc
}

// An inlinedCall is a call that was inlined, with the instruction whose position in the source is that of the call's body.
type inlinedCall struct {
	name string
	pc   uint64
}

// calls returns the inlined calls that the instruction at pc in fn belongs to, the innermost first, and the
// instruction whose position is that of the outermost one's call.
func (i *inlineTrees) calls(fn function, pc uint64) (calls []inlinedCall, outer uint64, err error) {
	for {
		index, err := i.table.pcdata(fn, inlTreeIndex, pc)
		if err != nil {
			return nil, 0, err
		}
		if index < 0 {
			return calls, pc, nil
		}
		tree, err := i.tree(fn)
		if err != nil {
			return nil, 0, fmt.Errorf("find inlined calls: %w", err)
		}
		if len(calls) == maxInlined {
			return nil, 0, fmt.Errorf("more than %d calls inlined into each other: %w", maxInlined, errLimit)
		}
		name, parent, err := i.call(fn, tree, index)
		if err != nil {
			return nil, 0, fmt.Errorf("read inlined call: %w", err)
		}
		calls = append(calls, inlinedCall{name: name, pc: pc})
		pc = parent
	}
}

// tree returns the address of fn's tree. It is the funcdata FUNCDATA_InlTree: number 4 until Go 1.15, 3 since; an address,
// aligned, until Go 1.17 and an offset since.
func (i *inlineTrees) tree(fn function) (uint64, error) {
	t := i.table
	at := fn.tables + 4*int64(fn.npcdata)
	number := int64(3)
	if t.units == 0 {
		number = 4
	}
	if number >= int64(fn.nfuncdata) {
		return 0, errors.New("the function has none")
	}
	if t.layout.field == 8 {
		at += int64(-(i.addr + uint64(at)) % 8)
		addr, err := t.rows.uint64(at + 8*number)
		if err == nil && addr == 0 {
			err = errors.New("the function has none")
		}
		return addr - i.bias, err
	}
	if i.unknown != nil {
		return 0, i.unknown
	}
	off, err := t.data.uint32(at + 4*number)
	if err == nil && off == ^uint32(0) {
		err = errors.New("the function has none")
	}
	return i.gofunc + uint64(off), err
}

// call returns the name of the function called by the call of the given index in fn's tree, and the instruction of the caller.
func (i *inlineTrees) call(fn function, tree uint64, index int32) (name string, parent uint64, err error) {
	// parent, funcID, padding, file, line, func_, parentPc; since Go 1.20 funcID, padding, nameOff, parentPc, startLine.
	size, nameAt, parentAt := uint64(20), 12, 16
	if i.table.layout.startLine {
		size, nameAt, parentAt = 16, 4, 8
	}
	buf := make([]byte, size)
	if err := i.table.data.spend(blockSize); err != nil { // what a read of its own costs
		return "", 0, err
	}
	if err := i.file.read(buf, tree+uint64(index)*size); err != nil {
		return "", 0, err
	}
	off := binary.LittleEndian.Uint32(buf[parentAt:])
	if uint64(off) >= fn.end-fn.entry {
		return "", 0, fmt.Errorf("called from offset %#x of a function of %#x bytes", off, fn.end-fn.entry)
	}
	name, err = i.table.name(binary.LittleEndian.Uint32(buf[nameAt:]))
	return name, fn.entry + uint64(off), err
}

// An inlinedBody is code of a function that is inlined into another one, with all that is inlined into it in turn.
type inlinedBody struct {
	start, end uint64 // link-time addresses
	name       string
}

// bodies returns the functions inlined into fn itself, one or more times for each.
func (i *inlineTrees) bodies(fn function) ([]inlinedBody, error) {
	const most = 256
	off, err := i.table.pcdataAt(fn, inlTreeIndex)
	if err != nil {
		return nil, err
	}
	var bodies []inlinedBody
	start := fn.entry
	err = i.table.values(fn, off, func(end uint64, index int32) bool {
		if index >= 0 && start < end {
			bodies = append(bodies, inlinedBody{start: start, end: end})
		}
		start = end
		return len(bodies) <= most
	})
	if err == nil && len(bodies) > most {
		err = fmt.Errorf("more than %d pieces of inlined code: %w", most, errLimit)
	}
	if err != nil {
		return nil, err
	}
	for j := range bodies {
		calls, _, err := i.calls(fn, bodies[j].start)
		if err == nil && len(calls) == 0 { // addresses that wrap around
			err = errors.New("the table of inlined calls contradicts itself")
		}
		if err != nil {
			return nil, err
		}
		bodies[j].name = calls[len(calls)-1].name
	}
	return bodies, nil
}

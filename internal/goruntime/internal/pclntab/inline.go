package pclntab

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

const (
	inlTreeIndex = 2   // internal/abi.PCDATA_InlTreeIndex
	maxInlined   = 128 // calls inlined into one another
)

// inlineTrees finds the inlined calls that an instruction belongs to. The tree of a function is a
// list of calls (runtime.inlinedCall). A table by program counter holds the index of the innermost
// call, and each call holds an instruction of its caller.
type inlineTrees struct {
	table   *funcTable
	addr    uint64         // link-time address of the table
	bias    uint64         // pointers in the table are link-time addresses plus bias
	file    *objfile.Space // of the trees, which no relocation changes
	gofunc  uint64         // since Go 1.18: the origin of the offsets of trees
	unknown error          // the reason if gofunc is not known
}

// An inlinedCall is a call that was inlined. pc is an instruction of its body.
type inlinedCall struct {
	name string
	pc   uint64
}

// calls returns the inlined calls that the instruction at pc in fn belongs to, the innermost first.
// outer is the instruction of fn itself with the position of the outermost of these calls.
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
			return nil, 0, fmt.Errorf("more than %d calls inlined into one another: %w", maxInlined, objfile.ErrLimit)
		}
		name, parent, err := i.call(fn, tree, index)
		if err != nil {
			return nil, 0, fmt.Errorf("read inlined call: %w", err)
		}
		calls = append(calls, inlinedCall{name: name, pc: pc})
		pc = parent
	}
}

// tree returns the address of the tree of fn. It is the funcdata FUNCDATA_InlTree: number 4 until
// Go 1.15, 3 since then. Until Go 1.17 funcdata are aligned addresses, since then offsets.
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

// call returns the name of the function that call index in the tree of fn calls, and the
// instruction of its caller.
func (i *inlineTrees) call(fn function, tree uint64, index int32) (name string, parent uint64, err error) {
	// parent, funcID, padding, file, line, func_, parentPc; since Go 1.20 funcID, padding, nameOff,
	// parentPc, startLine.
	size, nameAt, parentAt := uint64(20), 12, 16
	if i.table.layout.startLine {
		size, nameAt, parentAt = 16, 4, 8
	}
	buf := make([]byte, size)
	if err := i.table.data.spend(blockSize); err != nil { // as much as the read of a block
		return "", 0, err
	}
	if err := i.file.Read(buf, tree+uint64(index)*size); err != nil {
		return "", 0, err
	}
	off := binary.LittleEndian.Uint32(buf[parentAt:])
	if uint64(off) >= fn.end-fn.entry {
		return "", 0, fmt.Errorf("called from offset %#x of a function of %#x bytes", off, fn.end-fn.entry)
	}
	name, err = i.table.name(binary.LittleEndian.Uint32(buf[nameAt:]))
	return name, fn.entry + uint64(off), err
}

// An inlinedBody is a piece of code of an inlined function, with the calls that are inlined into it
// in turn.
type inlinedBody struct {
	start, end uint64 // link-time addresses
	name       string
}

// bodies returns the code of the functions inlined into fn itself, in one or more pieces for each.
func (i *inlineTrees) bodies(fn function) ([]inlinedBody, error) {
	const most = 256
	off, err := i.table.pcdataOff(fn, inlTreeIndex)
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
		err = fmt.Errorf("more than %d pieces of inlined code: %w", most, objfile.ErrLimit)
	}
	if err != nil {
		return nil, err
	}
	for j := range bodies {
		calls, _, err := i.calls(fn, bodies[j].start)
		if err == nil && len(calls) == 0 { // the addresses wrap around
			err = errors.New("the table of inlined calls contradicts itself")
		}
		if err != nil {
			return nil, err
		}
		bodies[j].name = calls[len(calls)-1].name
	}
	return bodies, nil
}

// Package pclntab names the code of Go programs by the table that every Go program carries,
// stripped or not. It reads the table from the file in small pieces, with a budget, and trusts
// nothing in it.
package pclntab

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// Limits on what Symbols remembers. The frames of a real program counter take some hundred bytes.
const (
	maxRemembered      = 4096    // program counters
	maxRememberedBytes = 1 << 20 // of frames and the names in them
	maxEntries         = 256     // names of goroutines' functions
)

// A Frame is one call on a stack.
type Frame struct {
	// Func is the full name of the function, as in runtime.Frame and in profiles:
	// "main.(*server).serve.func1". Type arguments are replaced by "[...]".
	Func string
	// File and Line are the place of the call or the instruction in the source; "" and 0 if the table
	// has none.
	File string
	Line int // from 1
}

// Symbols names the code of a Go program. It reads the table on demand and holds less than 4 MiB,
// however large the table. The bytes that one call reads are bounded, too.
//
// The program chooses the names: characters that cannot be printed are replaced, and names longer
// than 1 KiB are cut.
//
// A PIE from before Go 1.18 has its function addresses in memory only, so look-ups fail once its
// process has ended. All other programs are read from the file, which must stay open.
//
// A Symbols is safe for concurrent use.
type Symbols struct {
	// Others returns the symbols of the plugin that has code at the run-time address pc, or nil. It is
	// asked for addresses outside the program. nil = there are no plugins. It must not be changed once
	// look-ups have begun.
	Others func(pc uint64) *Symbols

	start, end uint64 // link-time bounds of the functions
	bias       uint64

	mu         sync.Mutex
	table      *funcTable
	trees      *inlineTrees
	remembered map[uint64][]Frame
	bytes      int // of the frames in remembered and their strings
	entries    map[uint64]string
	sizes      map[uint64]int32 // of frames; -1 = none
}

// Open opens the table of img. s reads what relocations change, and bias is the load bias of img.
func Open(img *objfile.Image, s *objfile.Space, bias uint64) (*Symbols, error) {
	tab, addr, base, err := openTable(img, s)
	if err != nil {
		return nil, err
	}
	table, err := newFuncTable(tab, base)
	if err != nil {
		return nil, fmt.Errorf("read pclntab: %w", err)
	}
	start, end, err := table.bounds()
	if err != nil {
		return nil, fmt.Errorf("read pclntab: %w", err)
	}
	if !img.Executable(start) || !img.Executable(end-1) {
		return nil, fmt.Errorf("functions from %#x to %#x are not in an executable segment", start, end)
	}
	trees := &inlineTrees{table: table, addr: addr, bias: s.Bias, file: img.Space()}
	if tab.layout.field == 4 {
		m := module{img: img, s: s, tab: tab, addr: addr, start: start, end: end, text: base}
		trees.gofunc, trees.unknown = m.gofunc()
	}
	return &Symbols{
		start: start, end: end, bias: bias, table: table, trees: trees,
		remembered: make(map[uint64][]Frame), entries: make(map[uint64]string), sizes: make(map[uint64]int32),
	}, nil
}

// Frames returns the calls that the instruction at the run-time address pc belongs to: the
// innermost inlined call first, the function whose code contains pc last. It returns nil if pc is
// not in Go code or the table cannot be read. The result is shared and must not be changed.
//
// pc is the address of any byte of the instruction. A return address is after the call's
// instruction, so pass it less one. That holds for all program counters of a stack but the
// innermost and those that runtime.asyncPreempt and runtime.sigpanic return to: these were
// interrupted at an instruction that is not a call.
//
// Where inlined calls are not reported (see Inlining), the result is the one function that contains
// pc, with the file and line of the instruction. These may belong to a function that is inlined
// into it.
func (s *Symbols) Frames(pc uint64) []Frame {
	if s = s.of(pc); s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if frames, ok := s.remembered[pc]; ok {
		return frames
	}
	var frames []Frame
	if fn, ok := s.find(pc); ok {
		frames = s.expand(fn, pc-s.bias)
	}
	size := 0
	for _, f := range frames {
		size += int(unsafe.Sizeof(f)) + len(f.Func) + len(f.File)
	}
	if len(s.remembered) == maxRemembered || s.bytes+size > maxRememberedBytes {
		clear(s.remembered)
		s.bytes = 0
	}
	s.remembered[pc] = frames
	s.bytes += size
	return frames
}

// Text returns the run-time bounds of the Go code: the entry of the first function and the end of
// the last.
func (s *Symbols) Text() (start, end uint64) { return s.start + s.bias, s.end + s.bias }

// of returns the symbols of the part of the program that pc lies in; nil = it is in none.
func (s *Symbols) of(pc uint64) *Symbols {
	switch {
	case pc-s.bias >= s.start && pc-s.bias < s.end:
		return s
	case s.Others == nil:
		return nil
	}
	return s.Others(pc)
}

// Find returns the run-time address of a function, or 0 if the table does not have it exactly once.
func (s *Symbols) Find(name string) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.table.table.find(name)
	if err != nil {
		return 0, fmt.Errorf("read pclntab: %w", err)
	}
	if entry, ok := found[name]; ok {
		return s.table.base + entry + s.bias, nil
	}
	return 0, nil
}

// expand returns the frames of the link-time address pc, which is in fn.
func (s *Symbols) expand(fn function, pc uint64) []Frame {
	name, err := s.table.name(fn.name)
	if err != nil {
		return nil
	}
	calls, outer, err := s.trees.calls(fn, pc)
	if err != nil {
		calls, outer = nil, pc
	}
	frames := make([]Frame, 0, len(calls)+1)
	for _, c := range calls {
		frames = append(frames, s.frame(fn, c.name, c.pc))
	}
	return append(frames, s.frame(fn, name, outer))
}

func (s *Symbols) frame(fn function, name string, pc uint64) Frame {
	file, line, err := s.table.position(fn, pc)
	if err != nil {
		return Frame{Func: name}
	}
	return Frame{Func: name, File: file, Line: line}
}

// FrameSize returns how many bytes the function with the instruction at the run-time address pc has
// on the stack when it reaches pc. A return address that the call instruction put there is not one
// of them. It returns false where pc is not in Go code or the table has no size for it.
func (s *Symbols) FrameSize(pc uint64) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, ok := s.sizes[pc]
	if !ok {
		size = -1
		if fn, found := s.find(pc); found {
			if v, err := s.table.value(fn, fn.pcsp, pc-s.bias); err == nil && v%8 == 0 {
				size = v
			}
		}
		if len(s.sizes) == maxRemembered {
			clear(s.sizes)
		}
		s.sizes[pc] = size
	}
	return uint64(max(size, 0)), size >= 0
}

// named returns the function that contains the run-time address pc, and its name. The name is ""
// where Frames returns nil.
func (s *Symbols) named(pc uint64) (function, string) {
	fn, ok := s.find(pc)
	if !ok {
		return function{}, ""
	}
	name, err := s.table.name(fn.name)
	if err != nil {
		return function{}, ""
	}
	return fn, name
}

// find returns the function that contains the run-time address pc. It starts a look-up, with a new
// budget.
func (s *Symbols) find(pc uint64) (function, bool) {
	pc -= s.bias
	if pc < s.start || pc >= s.end {
		return function{}, false
	}
	s.table.left = lookUpBudget
	fn, err := s.table.find(pc)
	return fn, err == nil
}

package goruntime

import (
	"fmt"
	"sync"
	"unsafe"
)

// Limits on what Symbols remembers. A real stack's frames take some hundred bytes a program counter.
const (
	maxRemembered      = 4096    // program counters
	maxRememberedBytes = 1 << 20 // of frames and the names in them
	maxEntries         = 256     // names of goroutines' functions
)

// A Frame is one call on a stack.
type Frame struct {
	// Func is the function's full name, as in runtime.Frame and in profiles: "main.(*server).serve.func1". Type arguments
	// stand as "[...]".
	Func string
	// File and Line are where in the source the call or the instruction is; "" and 0 when the program does not tell.
	File string
	Line int // from 1
}

// Symbols names the code of a Go program, stripped or not, by its pclntab. It reads the table when asked and keeps less
// than 4 MiB, however large the table. What one call reads is bounded, too.
//
// Names are the program's own words: what cannot be printed is replaced and what is longer than 1 KiB is cut.
//
// Programs before Go 1.18 that are PIE have their function addresses in memory only: nothing can be looked up any more when
// such a process has ended. All others are read from the file, which must stay open.
//
// A Symbols is safe for concurrent use.
type Symbols struct {
	start, end uint64 // link-time bounds of the functions
	bias       uint64

	mu         sync.Mutex
	table      *funcTable
	trees      *inlineTrees
	remembered map[uint64][]Frame
	bytes      int // of remembered, but for the map itself
	entries    map[uint64]string
}

// openSymbols opens the pclntab of img. s reads what relocations change, and bias is the load bias of img.
func openSymbols(img *image, s *space, bias uint64) (*Symbols, error) {
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
	if !img.executable(start) || !img.executable(end-1) {
		return nil, fmt.Errorf("functions from %#x to %#x are not in an executable segment", start, end)
	}
	trees := &inlineTrees{table: table, addr: addr, bias: s.bias, file: fileSpace(img)}
	if tab.layout.field == 4 {
		m := module{img: img, s: s, tab: tab, addr: addr, start: start, end: end, text: base}
		trees.gofunc, trees.unknown = m.gofunc()
	}
	return &Symbols{
		start: start, end: end, bias: bias, table: table, trees: trees,
		remembered: make(map[uint64][]Frame), entries: make(map[uint64]string),
	}, nil
}

// Text returns the run-time bounds of the Go code: the entry of the first function and the end of the last.
func (s *Symbols) Text() (start, end uint64) { return s.start + s.bias, s.end + s.bias }

// Inlining returns nil when calls that the compiler inlined are told, else why not.
func (s *Symbols) Inlining() error { return s.trees.unknown }

// Frames returns the calls that the instruction at the run-time address pc belongs to: the innermost inlined call first, the
// function that really is at pc last. It returns nil when pc is not in Go code or the table cannot be read. The result is
// shared and must not be changed.
//
// pc is any byte of the instruction. A return address is the one behind the call's instruction: pass it less one, as for
// all program counters of a stack but the innermost and those that runtime.asyncPreempt and runtime.sigpanic return to,
// which were interrupted and did not call.
//
// Where the inlined calls cannot be known (see Inlining), the result is the one function that is at pc, with the file and
// the line of the instruction, which may be those of a function inlined into it.
func (s *Symbols) Frames(pc uint64) []Frame {
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

// expand is Frames for the link-time address pc, which is in fn.
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

// Name returns the name of the function that is at the run-time address pc, whatever is inlined into it; "" as Frames
// returns nil.
func (s *Symbols) Name(pc uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, name := s.named(pc)
	return name
}

// named finds the function at pc, which has no name as Name has none.
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

// Entry returns the run-time address at which the function that is at the run-time address pc starts.
func (s *Symbols) Entry(pc uint64) (entry uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn, ok := s.find(pc)
	return fn.entry + s.bias, ok
}

// find starts a look-up: it renews the budget.
func (s *Symbols) find(pc uint64) (function, bool) {
	pc -= s.bias
	if pc < s.start || pc >= s.end {
		return function{}, false
	}
	s.table.left = lookUpBudget
	fn, err := s.table.find(pc)
	return fn, err == nil
}

package goruntime

import (
	"encoding/binary"
	"errors"
	"io"
)

// A Goroutine is the goroutine of a thread at one moment: the one that the thread runs, or the one
// locked to it.
type Goroutine struct {
	ID      uint64
	EntryPC uint64 // the function it began with; 0 = none: C called Go
	// InCall: it has left Go, for a system call or for C. Parked: it does not run. Neither: it runs, or
	// it keeps its thread while it waits in the runtime.
	InCall, Parked bool
	// Frames are the calls on its stack, the innermost first, with those that are inlined. nil = not
	// known: the registers of a goroutine that runs on a CPU are not in memory.
	Frames []Frame
	Whole  bool // Frames go back to the function it began with
}

// Registers are those with which a thread that sleeps in a system call has left user code.
type Registers struct{ SP, PC uint64 }

// Code describes the code of a program, by run-time address. It is a *Symbols.
type Code interface {
	Frames(pc uint64) []Frame
	FrameSize(pc uint64) (uint64, bool)
}

const (
	stackTries = 3       // reads of a goroutine that changes meanwhile
	maxCalls   = 256     // calls that are followed on a stack
	stackChunk = 2 << 10 // bytes of a stack that one read covers: mostly all calls
)

// errGoroutine means that the thread runs another goroutine by now, or none.
var errGoroutine = errors.New("the thread has another goroutine by now")

// A StackReader reads goroutines and their stacks while the process runs. It is not safe for
// concurrent use.
type StackReader struct {
	rd     *msReader
	code   Code
	extent extent
	link   bool // calls leave the return address in a register (arm64)
	stack  stackMemory
}

// Stacks prepares reads of goroutines. code may be nil: their stacks are not known then. Errors
// satisfy errors.Is with ErrNoOffsets, or are those of opening the memory.
func (r *Runtime) Stacks(code Code) (*StackReader, error) {
	rd, err := r.reader()
	if err != nil {
		return nil, err
	}
	o := rd.o
	e, err := cover(o.GStack, o.GStack+8, o.GSched, o.GSched+8, o.GSyscallSP, o.GSyscallPC, o.GM, o.GStatus, o.GGoid,
		o.GLockedM, o.GStartPC)
	if err != nil {
		return nil, err
	}
	return &StackReader{rd: rd, code: code, extent: e, link: r.Arch == "arm64", stack: stackMemory{mem: r.mem}}, nil
}

// A goroutine holds the fields of one runtime.g that place its stack, from one read.
type goroutine struct {
	low, high            uint64 // of its stack
	schedSP, schedPC     uint64 // where it goes on when it is scheduled
	syscallSP, syscallPC uint64 // where it has left Go
	m, lockedM           uint64
	goid, startPC        uint64
	status               uint32 // without gScan
}

// Read reads the goroutine of m. regs are the zero value unless the thread sleeps in a system call.
func (s *StackReader) Read(m *M, regs Registers) (Goroutine, error) {
	before, err := s.goroutine(m)
	if err != nil {
		return Goroutine{}, err
	}
	for range stackTries {
		g := Goroutine{ID: before.goid, EntryPC: before.startPC}
		sp, pc := before.schedSP, before.schedPC
		switch before.status {
		case gSyscall:
			g.InCall = true
			sp, pc = before.syscallSP, before.syscallPC
		case gWaiting, gRunnable, gPreempted:
			g.Parked = true
		default:
			sp, pc = regs.SP, regs.PC
		}
		if s.code != nil {
			g.Frames, g.Whole = s.unwind(&before, sp, pc)
		}
		after, err := s.goroutine(m)
		if err != nil {
			return Goroutine{}, err
		}
		if after == before {
			return g, nil
		}
		before = after
	}
	return Goroutine{ID: before.goid, EntryPC: before.startPC}, nil // whose state always changes runs
}

// None reports whether the thread of m, which had no goroutine, still has none.
func (s *StackReader) None(m *M) bool {
	g, err := s.rd.pointer(m.Addr, s.rd.o.MCurG)
	return err == nil && g == 0
}

// goroutine reads the goroutine of m.
func (s *StackReader) goroutine(m *M) (goroutine, error) {
	if m.G == 0 {
		return goroutine{}, errGoroutine
	}
	c, err := s.rd.read(m.G, s.extent)
	if err != nil {
		return goroutine{}, err
	}
	o := s.rd.o
	g := goroutine{
		low: c.word(o.GStack), high: c.word(o.GStack + 8), schedSP: c.word(o.GSched), schedPC: c.word(o.GSched + 8),
		syscallSP: c.word(o.GSyscallSP), syscallPC: c.word(o.GSyscallPC), m: c.word(o.GM), lockedM: c.word(o.GLockedM),
		goid: c.word(o.GGoid), startPC: c.word(o.GStartPC), status: uint32(c.word(o.GStatus)) &^ gScan,
	}
	if g.goid == 0 || g.goid != m.CurGoID && g.goid != m.GoID || g.m != m.Addr && g.lockedM != m.Addr {
		return goroutine{}, errGoroutine
	}
	return g, nil
}

// Functions of the runtime at which a stack is special, as Frames names them.
const (
	fnGoexit   = "runtime.goexit"   // below the function that a goroutine began with
	fnSigpanic = "runtime.sigpanic" // like asyncPreempt, it seems called by an instruction that is no call
)

// unwind follows the stack of g from a saved stack pointer and program counter. It takes the sizes
// of frames from the program's table, as the runtime does (runtime/traceback.go): frame pointers
// leave out functions without a frame, and Go 1.13 has none on arm64. whole: the stack goes back to
// the function that g began with.
func (s *StackReader) unwind(g *goroutine, sp, pc uint64) (frames []Frame, whole bool) {
	s.stack.reset(g.low, g.high)
	link := uint64(0)    // of pc's caller, where the register is known
	interrupted := false // pc is the next instruction, not the one after a call
	for range maxCalls {
		if !s.stack.has(sp) {
			return frames, false
		}
		at := pc
		if !interrupted {
			at--
		}
		calls := s.code.Frames(at)
		size, ok := s.code.FrameSize(pc)
		if len(calls) == 0 {
			return frames, false
		}
		function := calls[len(calls)-1].Func
		if function == fnGoexit {
			return frames, len(frames) > 0
		}
		frames = append(frames, calls...)
		if !ok {
			return frames, false
		}
		next := sp + size
		if s.link {
			switch {
			case link != 0:
				pc, link = link, 0
			case size == 0:
				return frames, false
			default:
				pc, ok = s.stack.word(sp)
			}
		} else {
			pc, ok = s.stack.word(next)
			next += 8
		}
		if !ok {
			return frames, false
		}
		sp = next
		interrupted = function == fnAsyncPreempt || function == fnSigpanic
		if s.link && interrupted {
			// The signal handler has pushed the link register before it made the call seem made
			// (signal_arm64.go, preparePanic and pushCall).
			saved, ok := s.stack.word(sp)
			if !ok {
				return frames, false
			}
			sp += 16
			if size, known := s.code.FrameSize(pc); !known {
				pc = saved
			} else if size == 0 {
				link = saved
			}
		}
	}
	return frames, false
}

// stackMemory reads one stack in chunks.
type stackMemory struct {
	mem       io.ReaderAt
	low, high uint64
	at        uint64 // address of chunk
	chunk     []byte
	buf       [stackChunk]byte
}

func (s *stackMemory) reset(low, high uint64) { s.low, s.high, s.chunk = low, high, nil }

// has reports whether there may be a word at addr.
func (s *stackMemory) has(addr uint64) bool {
	return addr%8 == 0 && addr >= s.low && addr < s.high && s.high-addr >= 8 && s.high < 1<<56
}

// word returns the word at addr.
func (s *stackMemory) word(addr uint64) (uint64, bool) {
	if !s.has(addr) {
		return 0, false
	}
	if addr < s.at || addr-s.at >= uint64(len(s.chunk)) {
		s.at, s.chunk = addr, nil
		n, err := s.mem.ReadAt(s.buf[:min(stackChunk, s.high-addr)], int64(addr))
		if n < 8 && err != nil {
			return 0, false
		}
		s.chunk = s.buf[:n&^7]
	}
	return binary.LittleEndian.Uint64(s.chunk[addr-s.at:]), true
}

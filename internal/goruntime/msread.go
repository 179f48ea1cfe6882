package goruntime

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

const (
	attempts = 16       // to see an M that stands still for two reads: some lock and unlock all the time
	maxSpan  = 16 << 10 // bytes of a runtime struct; type m of every release has less than two KiB
	maxTID   = 1 << 22  // include/linux/threads.h, PID_MAX_LIMIT
	maxPs    = 1 << 20  // far above the CPUs of any machine
)

// An msReader reads Ms and goroutines from a process's memory, while the process runs. Nothing it reads is trusted: what it returns
// has been the truth at one moment, or says that it is unknown.
type msReader struct {
	mem    io.ReaderAt
	o      *Offsets
	info   *Info
	mSpan  span
	gSpan  span
	buf    []byte
	starts map[uint64]uint64 // function values, which never change, to the functions
}

// A span is the part of a struct that is read: all the fields of interest, at once.
type span struct{ off, size uint32 }

// spanOf covers the 8-byte fields at the given offsets. Absent fields are none.
func spanOf(offs ...uint32) (span, error) {
	lo, hi := uint32(math.MaxUint32), uint32(0)
	for _, off := range offs {
		if off == Absent {
			continue
		}
		if off > maxSpan {
			return span{}, fmt.Errorf("a field at %#x: %w", off, ErrNoOffsets)
		}
		lo, hi = min(lo, off), max(hi, off+8)
	}
	return span{lo, hi - lo}, nil
}

// reader prepares reading; the error satisfies errors.Is with ErrNoOffsets or says why memory is closed to us.
func (r *Runtime) reader() (*msReader, error) {
	o := r.Offsets
	if o == nil {
		return nil, ErrNoOffsets
	}
	if r.memErr != nil {
		return nil, r.memErr
	}
	m, errM := spanOf(o.MG0, o.MProcID, o.MStartFn, o.MCurG, o.MP, o.MID, o.MLockedG, o.MLockedExt, o.MLockedInt, o.MAllLink,
		o.MIsExtra)
	g, errG := spanOf(o.GM, o.GStatus, o.GGoid, o.GLockedM, o.GStartPC, o.GWaitReason)
	for _, err := range []error{errM, errG} {
		if err != nil {
			return nil, err
		}
	}
	return &msReader{mem: r.mem, o: o, info: &r.Info, mSpan: m, gSpan: g, starts: make(map[uint64]uint64)}, nil
}

// rawM are the fields of one runtime.m as one read found them.
type rawM struct {
	g0, procID, startFn, curG, p, lockedG, allLink uint64
	id                                             int64
	ext, int                                       uint32
	extra                                          uint8 // 0 where the release has no such field
}

// rawG are the fields of one runtime.g as one read found them; the zero value is no goroutine's.
type rawG struct {
	m, goid, lockedM, startPC uint64
	status                    uint32
	waitReason                uint8
}

// m reads the M at addr and the address of the next one. The error says that there is no M at addr.
func (rd *msReader) m(addr uint64) (m M, next uint64, err error) {
	before, err := rd.rawM(addr)
	if err != nil {
		return M{}, 0, err
	}
	if !rd.plausible(addr, before) {
		return M{}, 0, fmt.Errorf("no M at %#x: its g0 at %#x is not its own", addr, before.g0)
	}
	for range attempts {
		v := view{rawM: before, addr: addr, info: rd.info, o: rd.o}
		v.locked = rd.rawG(before.lockedG)
		v.cur = v.locked
		if before.curG != before.lockedG {
			v.cur = rd.rawG(before.curG)
		}
		v.start = rd.startOf(before.startFn)
		v.pid = rd.pID(before.p)
		after, err := rd.rawM(addr)
		if err != nil {
			return M{}, 0, err
		}
		m, next = v.judge(before.steady(after)), after.allLink
		if m.Lock != LockUnknown {
			break
		}
		before = after
	}
	return m, next, nil
}

// plausible reports whether there is an M at addr: nothing else points to a g that points back. An M joins the list before it
// has its g0, but with its number and without thread (proc.go, allocm).
func (rd *msReader) plausible(addr uint64, m rawM) bool {
	begins := m.procID == 0 && m.id > 0
	if m.g0 == 0 {
		return begins
	}
	back, err := rd.pointer(m.g0, rd.o.GM)
	return err == nil && (back == addr || back == 0 && begins)
}

// steady reports whether what is between the two reads belongs to both.
func (a rawM) steady(b rawM) bool {
	return a.procID == b.procID && a.lockedG == b.lockedG && a.ext == b.ext && a.int == b.int &&
		(a.lockedG != 0 || a.ext == 0 || a.curG == b.curG && a.p == b.p)
}

func (rd *msReader) rawM(addr uint64) (rawM, error) {
	c, err := rd.chunk(addr, rd.mSpan)
	if err != nil {
		return rawM{}, err
	}
	o := rd.o
	m := rawM{
		g0: c.word(o.MG0), procID: c.word(o.MProcID), startFn: c.word(o.MStartFn), curG: c.word(o.MCurG), p: c.word(o.MP),
		lockedG: c.word(o.MLockedG), allLink: c.word(o.MAllLink), id: int64(c.word(o.MID)),
		ext: uint32(c.word(o.MLockedExt)), int: uint32(c.word(o.MLockedInt)),
	}
	if o.MIsExtra != Absent {
		m.extra = uint8(c.word(o.MIsExtra))
	}
	return m, nil
}

// rawG reads the goroutine at addr; the zero value where none can be.
func (rd *msReader) rawG(addr uint64) rawG {
	if addr == 0 {
		return rawG{}
	}
	c, err := rd.chunk(addr, rd.gSpan)
	if err != nil {
		return rawG{}
	}
	o := rd.o
	return rawG{
		m: c.word(o.GM), goid: c.word(o.GGoid), lockedM: c.word(o.GLockedM), startPC: c.word(o.GStartPC),
		status: uint32(c.word(o.GStatus)), waitReason: uint8(c.word(o.GWaitReason)),
	}
}

// startOf returns the function behind a value of type func(), 0 when there is none or it can't be read.
func (rd *msReader) startOf(fn uint64) uint64 {
	if fn == 0 {
		return 0
	}
	pc, ok := rd.starts[fn]
	if !ok {
		if word, err := rd.word(fn); err == nil {
			pc = word
		}
		rd.starts[fn] = pc
	}
	return pc
}

// pID returns the number of the P at addr, -1 when there is none.
func (rd *msReader) pID(addr uint64) int32 {
	if addr == 0 {
		return -1
	}
	c, err := rd.chunk(addr, span{rd.o.PID, 8})
	if err != nil {
		return -1
	}
	if id := uint32(c.word(rd.o.PID)); id < maxPs {
		return int32(id)
	}
	return -1
}

// pointer reads the pointer at offset off of the struct at addr.
func (rd *msReader) pointer(addr uint64, off uint32) (uint64, error) {
	c, err := rd.chunk(addr, span{off, 8})
	if err != nil {
		return 0, err
	}
	return c.word(off), nil
}

// word reads the 64-bit value at addr.
func (rd *msReader) word(addr uint64) (uint64, error) { return rd.pointer(addr, 0) }

// A chunk is the bytes of one span of a struct, valid until the next is read.
type chunk struct {
	off uint32
	buf []byte
}

// word returns the 8 bytes at offset off of the struct; smaller fields are their low bytes.
func (c chunk) word(off uint32) uint64 { return binary.LittleEndian.Uint64(c.buf[off-c.off:]) }

func (rd *msReader) chunk(addr uint64, s span) (chunk, error) {
	const lowest, highest = 1 << 12, 1 << 56 // of user addresses; five-level page tables have the most
	if addr%8 != 0 || addr < lowest || addr >= highest {
		return chunk{}, fmt.Errorf("%#x is no address of a struct", addr)
	}
	if uint32(cap(rd.buf)) < s.size {
		rd.buf = make([]byte, s.size)
	}
	c := chunk{s.off, rd.buf[:s.size]}
	if n, err := rd.mem.ReadAt(c.buf, int64(addr)+int64(s.off)); n < len(c.buf) {
		return chunk{}, fmt.Errorf("read memory at %#x: %w", addr+uint64(s.off), err)
	}
	return c, nil
}

package goruntime

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

const (
	attempts  = 16       // to read an M twice without a change: some lock and unlock all the time
	maxExtent = 16 << 10 // bytes of a runtime struct; type m of every release has less than two KiB
	maxTID    = 1 << 22  // include/linux/threads.h, PID_MAX_LIMIT
	maxPs     = 1 << 20  // far above the CPUs of any machine
)

// An msReader reads Ms and goroutines from the memory of a process while the process runs. It
// trusts nothing that it reads. Its results were true at one moment, or are marked unknown.
type msReader struct {
	mem     io.ReaderAt
	o       *Offsets
	info    *Info
	mExtent extent
	gExtent extent
	buf     []byte
	starts  map[uint64]uint64 // function values, which never change, to the functions
}

// An extent is the part of a struct that one read covers, in bytes.
type extent struct{ off, size uint32 }

// cover returns the extent of the 8-byte fields at the given offsets. It skips Absent ones.
func cover(offs ...uint32) (extent, error) {
	lo, hi := uint32(math.MaxUint32), uint32(0)
	for _, off := range offs {
		if off == Absent {
			continue
		}
		if off > maxExtent {
			return extent{}, fmt.Errorf("a field at %#x: %w", off, ErrNoOffsets)
		}
		lo, hi = min(lo, off), max(hi, off+8)
	}
	return extent{lo, hi - lo}, nil
}

// reader prepares reads. The error satisfies errors.Is with ErrNoOffsets, or is that of opening the
// memory.
func (r *Runtime) reader() (*msReader, error) {
	o := r.Offsets
	if o == nil {
		return nil, ErrNoOffsets
	}
	if r.memErr != nil {
		return nil, r.memErr
	}
	m, errM := cover(o.MG0, o.MProcID, o.MStartFn, o.MCurG, o.MP, o.MID, o.MLockedG, o.MLockedExt, o.MLockedInt,
		o.MAllLink, o.MIsExtra)
	g, errG := cover(o.GM, o.GStatus, o.GGoid, o.GLockedM, o.GStartPC, o.GWaitReason)
	for _, err := range []error{errM, errG} {
		if err != nil {
			return nil, err
		}
	}
	return &msReader{mem: r.mem, o: o, info: &r.Info, mExtent: m, gExtent: g, starts: make(map[uint64]uint64)}, nil
}

// rawM holds the fields of one runtime.m, from one read.
type rawM struct {
	g0, procID, startFn, curG, p, lockedG, allLink uint64
	id                                             int64
	ext, int                                       uint32
	extra                                          uint8 // 0 if the release has no such field
}

// rawG holds the fields of one runtime.g, from one read. The zero value means no goroutine.
type rawG struct {
	m, goid, lockedM, startPC uint64
	status                    uint32
	waitReason                uint8
}

// readM reads the M at addr and the address of the next one. It is an error if there is no M at
// addr.
func (rd *msReader) readM(addr uint64) (m M, next uint64, err error) {
	before, err := rd.rawM(addr)
	if err != nil {
		return M{}, 0, err
	}
	if !rd.plausible(addr, before) {
		return M{}, 0, fmt.Errorf("no M at %#x: its g0 at %#x has another m", addr, before.g0)
	}
	for range attempts {
		v := reading{rawM: before, addr: addr, info: rd.info, o: rd.o}
		v.locked = rd.rawG(before.lockedG)
		v.cur = v.locked
		if before.curG != before.lockedG {
			v.cur = rd.rawG(before.curG)
		}
		v.start = rd.startFunc(before.startFn)
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

// plausible reports whether there is an M at addr: only an M points to a g that points back. An M
// joins the list before it has its g0; it then has its number but no thread (proc.go, allocm).
func (rd *msReader) plausible(addr uint64, m rawM) bool {
	begins := m.procID == 0 && m.id > 0
	if m.g0 == 0 {
		return begins
	}
	back, err := rd.pointer(m.g0, rd.o.GM)
	return err == nil && (back == addr || back == 0 && begins)
}

// steady reports whether the lock is the same in both reads, so that reads between them belong to
// it.
func (a rawM) steady(b rawM) bool {
	return a.procID == b.procID && a.lockedG == b.lockedG && a.ext == b.ext && a.int == b.int &&
		(a.lockedG != 0 || a.ext == 0 || a.curG == b.curG && a.p == b.p)
}

func (rd *msReader) rawM(addr uint64) (rawM, error) {
	c, err := rd.read(addr, rd.mExtent)
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

// rawG reads the goroutine at addr. It returns the zero value if there is none or it cannot be
// read.
func (rd *msReader) rawG(addr uint64) rawG {
	if addr == 0 {
		return rawG{}
	}
	c, err := rd.read(addr, rd.gExtent)
	if err != nil {
		return rawG{}
	}
	o := rd.o
	return rawG{
		m: c.word(o.GM), goid: c.word(o.GGoid), lockedM: c.word(o.GLockedM), startPC: c.word(o.GStartPC),
		status: uint32(c.word(o.GStatus)), waitReason: uint8(c.word(o.GWaitReason)),
	}
}

// startFunc returns the function of a value of type func(), or 0 if there is none or it cannot be
// read.
func (rd *msReader) startFunc(fn uint64) uint64 {
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

// pID returns the number of the P at addr, or -1 if there is none.
func (rd *msReader) pID(addr uint64) int32 {
	if addr == 0 {
		return -1
	}
	c, err := rd.read(addr, extent{rd.o.PID, 8})
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
	c, err := rd.read(addr, extent{off, 8})
	if err != nil {
		return 0, err
	}
	return c.word(off), nil
}

// word reads the 64-bit value at addr.
func (rd *msReader) word(addr uint64) (uint64, error) { return rd.pointer(addr, 0) }

// A structPart holds the bytes of one extent of a struct, valid until the next read.
type structPart struct {
	off uint32
	buf []byte
}

// word returns the 8 bytes at offset off of the struct. Smaller fields are in the low bytes.
func (c structPart) word(off uint32) uint64 { return binary.LittleEndian.Uint64(c.buf[off-c.off:]) }

// read reads an extent of the struct at addr.
func (rd *msReader) read(addr uint64, s extent) (structPart, error) {
	const lowest, highest = 1 << 12, 1 << 56 // of user addresses; five-level page tables have the most
	if addr%8 != 0 || addr < lowest || addr >= highest {
		return structPart{}, fmt.Errorf("%#x is not the address of a struct", addr)
	}
	if uint32(cap(rd.buf)) < s.size {
		rd.buf = make([]byte, s.size)
	}
	c := structPart{s.off, rd.buf[:s.size]}
	if n, err := rd.mem.ReadAt(c.buf, int64(addr)+int64(s.off)); n < len(c.buf) {
		return structPart{}, fmt.Errorf("read memory at %#x: %w", addr+uint64(s.off), err)
	}
	return c, nil
}

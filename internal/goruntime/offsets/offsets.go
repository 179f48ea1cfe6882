// Package offsets holds the offsets of the fields of the Go runtime's structs that pinwatch reads,
// by release of Go. They come from the built-in table offsets.txt, from a user's table, or from the
// DWARF of a program.
package offsets

import "fmt"

// Offsets are the offsets, in bytes, of fields of the runtime's structs (runtime/runtime2.go).
// Absent marks a field that the release does not have.
type Offsets struct {
	// runtime.g
	GStack      uint32 // stack: its lowest address, then the one above its highest
	GSched      uint32 // sched: the saved stack pointer, then the saved program counter (type gobuf)
	GSyscallSP  uint32 // syscallsp
	GSyscallPC  uint32 // syscallpc
	GM          uint32 // m
	GStatus     uint32 // atomicstatus, 4 bytes
	GGoid       uint32 // goid
	GLockedM    uint32 // lockedm
	GStartPC    uint32 // startpc
	GWaitReason uint32 // waitreason, 1 byte

	// runtime.m
	MG0        uint32 // g0
	MProcID    uint32 // procid: the thread's tid in its PID namespace
	MStartFn   uint32 // mstartfn: a pointer to a func value, whose first word is the function's address
	MCurG      uint32 // curg
	MP         uint32 // p
	MID        uint32 // id
	MLockedG   uint32 // lockedg
	MLockedExt uint32 // lockedExt, 4 bytes
	MLockedInt uint32 // lockedInt, 4 bytes
	MAllLink   uint32 // alllink
	MIsExtra   uint32 // isextra, 1 byte; Absent before Go 1.20

	// runtime.p
	PID uint32 // id, 4 bytes
}

// Absent is the offset of a field that does not exist.
const Absent = ^uint32(0)

// maxOffset bounds an offset: a real g has some 450 bytes, a real m 2 KiB, and p.id is the first
// field of its 10 KiB.
const maxOffset = 8 << 10

// A field describes one field of the runtime's structs.
type field struct {
	owner, name string // "g", "goid"
	size        uint32 // in bytes; up to 8 also its alignment
	optional    bool   // some supported releases do not have it
	offset      func(*Offsets) *uint32
}

func (f field) column() string { return f.owner + "." + f.name }

// fields are in the order of the columns of a table.
var fields = []field{
	{"g", "stack", 16, false, func(o *Offsets) *uint32 { return &o.GStack }},
	{"g", "sched", 16, false, func(o *Offsets) *uint32 { return &o.GSched }},
	{"g", "syscallsp", 8, false, func(o *Offsets) *uint32 { return &o.GSyscallSP }},
	{"g", "syscallpc", 8, false, func(o *Offsets) *uint32 { return &o.GSyscallPC }},
	{"g", "m", 8, false, func(o *Offsets) *uint32 { return &o.GM }},
	{"g", "atomicstatus", 4, false, func(o *Offsets) *uint32 { return &o.GStatus }},
	{"g", "goid", 8, false, func(o *Offsets) *uint32 { return &o.GGoid }},
	{"g", "lockedm", 8, false, func(o *Offsets) *uint32 { return &o.GLockedM }},
	{"g", "startpc", 8, false, func(o *Offsets) *uint32 { return &o.GStartPC }},
	{"g", "waitreason", 1, false, func(o *Offsets) *uint32 { return &o.GWaitReason }},
	{"m", "g0", 8, false, func(o *Offsets) *uint32 { return &o.MG0 }},
	{"m", "procid", 8, false, func(o *Offsets) *uint32 { return &o.MProcID }},
	{"m", "mstartfn", 8, false, func(o *Offsets) *uint32 { return &o.MStartFn }},
	{"m", "curg", 8, false, func(o *Offsets) *uint32 { return &o.MCurG }},
	{"m", "p", 8, false, func(o *Offsets) *uint32 { return &o.MP }},
	{"m", "id", 8, false, func(o *Offsets) *uint32 { return &o.MID }},
	{"m", "lockedg", 8, false, func(o *Offsets) *uint32 { return &o.MLockedG }},
	{"m", "lockedExt", 4, false, func(o *Offsets) *uint32 { return &o.MLockedExt }},
	{"m", "lockedInt", 4, false, func(o *Offsets) *uint32 { return &o.MLockedInt }},
	{"m", "alllink", 8, false, func(o *Offsets) *uint32 { return &o.MAllLink }},
	{"m", "isextra", 1, true, func(o *Offsets) *uint32 { return &o.MIsExtra }},
	{"p", "id", 4, false, func(o *Offsets) *uint32 { return &o.PID }},
}

// Collect collects offsets from lookUp, which returns the offset of a field, or false if the struct
// has no such field. It is an error if a field is missing that all releases have, and if no real
// struct can have these offsets.
func Collect(lookUp func(owner, field string) (int64, bool)) (*Offsets, error) {
	var o Offsets
	for _, f := range fields {
		n, ok := lookUp(f.owner, f.name)
		switch {
		case !ok && f.optional:
			*f.offset(&o) = Absent
		case !ok:
			return nil, fmt.Errorf("runtime.%s has no member %s", f.owner, f.name)
		case n < 0 || n > maxOffset:
			return nil, fmt.Errorf("%s at %d: outside 0 to %d", f.column(), n, maxOffset)
		default:
			*f.offset(&o) = uint32(n)
		}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return &o, nil
}

// check returns an error for offsets that no struct of the runtime can have: too large, misaligned,
// or inside another field.
func (o *Offsets) check() error {
	for i, f := range fields {
		at := *f.offset(o)
		if at == Absent && f.optional {
			continue
		}
		if at > maxOffset-f.size || at%min(f.size, 8) != 0 {
			return fmt.Errorf("%s at %d: not an aligned field of %d bytes below %d", f.column(), at, f.size, maxOffset)
		}
		for _, other := range fields[:i] {
			start := *other.offset(o)
			if other.owner == f.owner && start != Absent && start < at+f.size && at < start+other.size {
				return fmt.Errorf("%s at %d overlaps %s at %d", f.column(), at, other.column(), start)
			}
		}
	}
	return nil
}

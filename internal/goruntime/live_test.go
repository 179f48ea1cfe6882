package goruntime

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"
)

// checkThread compares the result of Open with the memory of the process, for the thread in the
// program's account.
func checkThread(t *testing.T, r *Runtime, want account) {
	t.Helper()
	if r.Offsets == nil || r.GSlot == nil {
		t.Fatalf("no offsets (%v) or no place of g (%v)", r.Unknown["Offsets"], r.Unknown["GSlot"])
	}
	// The thread has printed its account and is about to enter a system call, where it stays.
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := threadAgrees(r, want)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v\n%+v\n%+v\n%+v", err, *r.Offsets, *r.GSlot, want)
		}
	}
}

// A fieldReader reads fields of structs in the memory of a process. It keeps the first error.
type fieldReader struct {
	r   *Runtime
	err error
}

func (x *fieldReader) field(base uint64, at, size uint32) uint64 {
	var buf [8]byte
	if _, err := x.r.mem.ReadAt(buf[:size], int64(base)+int64(at)); err != nil && x.err == nil {
		x.err = err
	}
	return binary.LittleEndian.Uint64(buf[:])
}

func threadAgrees(r *Runtime, want account) error {
	x, o := &fieldReader{r: r}, r.Offsets
	g := want.G
	if !r.GSlot.Register {
		if g = x.field(want.ThreadPtr+uint64(r.GSlot.TLS), 0, 8); g != want.G {
			return fmt.Errorf("g = %#x in thread-local storage, want %#x", g, want.G)
		}
	}
	m := x.field(g, o.GM, 8)
	g0 := x.field(m, o.MG0, 8)
	const gSyscall = 3 // runtime2.go _Gsyscall
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"g.atomicstatus", x.field(g, o.GStatus, 4), gSyscall},
		{"g.goid", x.field(g, o.GGoid, 8), want.Goid},
		{"g.lockedm", x.field(g, o.GLockedM, 8), m},
		{"g.startpc", x.field(g, o.GStartPC, 8), want.Hold},
		{"m.procid", x.field(m, o.MProcID, 8), want.TID},
		{"m.curg", x.field(m, o.MCurG, 8), g},
		{"m.lockedg", x.field(m, o.MLockedG, 8), g},
		{"m.lockedExt", x.field(m, o.MLockedExt, 4), 1},
		{"m.lockedInt", x.field(m, o.MLockedInt, 4), 0},
		{"m.g0.m", x.field(g0, o.GM, 8), m},
	} {
		if c.got != c.want {
			return fmt.Errorf("%s = %#x, want %#x", c.name, c.got, c.want)
		}
	}
	if o.MIsExtra != Absent {
		if extra := x.field(m, o.MIsExtra, 1); extra != 0 {
			return fmt.Errorf("m.isextra = %d", extra)
		}
	}
	if p := x.field(m, o.MP, 8); p != 0 {
		if id := x.field(p, o.PID, 4); id >= uint64(want.GOMAXPROCS) {
			return fmt.Errorf("m.p.id = %d", id)
		}
	}
	if x.err != nil {
		return x.err
	}
	return allMsAgree(x, m, want)
}

// allMsAgree follows the list of all Ms. It must have m, distinct ids and, as the last, m0, the
// first M made.
func allMsAgree(x *fieldReader, m uint64, want account) error {
	const many = 1000
	o := x.r.Offsets
	ids := make(map[uint64]bool)
	found := false
	last := uint64(0)
	for at := x.field(want.AllM, 0, 8); at != 0 && x.err == nil; at = x.field(at, o.MAllLink, 8) {
		id := x.field(at, o.MID, 8)
		if ids[id] || id > many || len(ids) > many {
			return fmt.Errorf("m.id = %d, beside %v", id, ids)
		}
		ids[id] = true
		found = found || at == m
		last = at
	}
	if !found || last != want.M0 {
		return fmt.Errorf("list of Ms: found %t, last %#x, want %#x", found, last, want.M0)
	}
	return x.err
}

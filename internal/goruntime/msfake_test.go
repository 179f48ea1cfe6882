package goruntime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// fakeOffsets is a layout of no release: the code must not depend on one.
var fakeOffsets = Offsets{
	GStack: 0, GSched: 56, GSyscallSP: 112, GSyscallPC: 120,
	GM: 48, GStatus: 144, GGoid: 152, GLockedM: 208, GStartPC: 264, GWaitReason: 172,
	MG0: 0, MProcID: 64, MStartFn: 176, MCurG: 184, MP: 208, MID: 232, MLockedG: 384, MLockedExt: 648, MLockedInt: 652,
	MAllLink: 352, MIsExtra: 297, PID: 8,
}

// fakeMem is memory of 8-byte words by address. onRead, if not nil, is called before each read, as
// a process runs while it is read.
type fakeMem struct {
	words  map[uint64]uint64
	onRead func(addr uint64)
	reads  int
}

func (f *fakeMem) ReadAt(p []byte, off int64) (int, error) {
	f.reads++
	if f.onRead != nil {
		f.onRead(uint64(off))
	}
	for i := range p {
		at := uint64(off) + uint64(i)
		if at>>20 != 0 && at < 1<<20 || at>>40 != 0 { // what is mapped
			return i, io.ErrUnexpectedEOF
		}
		p[i] = byte(f.words[at&^7] >> (8 * (at & 7)))
	}
	return len(p), nil
}

func (f *fakeMem) set(addr uint64, off uint32, v uint64) { f.words[addr+uint64(off)] = v }

func (f *fakeMem) set32(addr uint64, off uint32, v uint32) {
	at := addr + uint64(off)
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], f.words[at&^7])
	binary.LittleEndian.PutUint32(b[at&7:], v)
	f.words[at&^7] = binary.LittleEndian.Uint64(b[:])
}

// Addresses of the fake process.
const (
	fakeAllM     = 0x200000
	fakeM0       = 0x300000
	fakeSysmon   = 0x401000
	fakeTemplate = 0x402000
)

// fakeRuntime has n Ms: m0 on thread 100, the next on 101, … The list begins with the last.
func fakeRuntime(n int) (*Runtime, *fakeMem) {
	f := &fakeMem{words: make(map[uint64]uint64)}
	for i := range n {
		m := fakeM(i)
		f.set(m, fakeOffsets.MG0, m+0x800)
		f.set(m+0x800, fakeOffsets.GM, m)
		f.set(m, fakeOffsets.MProcID, uint64(100+i))
		f.set(m, fakeOffsets.MID, uint64(i))
		if i > 0 {
			f.set(m, fakeOffsets.MAllLink, fakeM(i-1))
		}
		f.words[fakeAllM] = m
	}
	info := Info{
		Offsets: &fakeOffsets, OffsetsProved: true, GSlot: &GSlot{TLS: -8},
		AllM: fakeAllM, M0: fakeM0, Sysmon: fakeSysmon, TemplateThread: fakeTemplate,
	}
	return &Runtime{Info: info, mem: f}, f
}

func fakeM(i int) uint64 { return fakeM0 + uint64(i)*0x2000 }

// lockTo locks M m to a goroutine at g.
func (f *fakeMem) lockTo(m, g uint64, ext, internal uint32, status uint32) {
	f.set(m, fakeOffsets.MLockedG, g)
	f.set(m, fakeOffsets.MCurG, g)
	f.set32(m, fakeOffsets.MLockedExt, ext)
	f.set32(m, fakeOffsets.MLockedInt, internal)
	f.set(g, fakeOffsets.GLockedM, m)
	f.set(g, fakeOffsets.GM, m)
	f.set(g, fakeOffsets.GGoid, 17)
	f.set(g, fakeOffsets.GStartPC, 0x405000)
	f.set32(g, fakeOffsets.GStatus, status)
}

// TestJudge has every state of an M in the runtime, and states with one wrong word.
func TestJudge(t *testing.T) {
	const m, g, p, fn = fakeM0 + 0x2000, 0x600000, 0x700000, 0x800000 // the second M
	o := &fakeOffsets
	for _, c := range []struct {
		name string
		set  func(f *fakeMem, r *Runtime)
		want string
	}{
		{"unlocked", func(f *fakeMem, r *Runtime) {}, "101 worker none 0/0 g0 pc0 cur0 P-1"},
		{"running", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 0, 0, gRunning)
			f.set(m, o.MP, p)
			f.set32(p, o.PID, 3)
		}, "101 worker none 0/0 g0 pc0 cur17 P3"},
		{"no number of a P", func(f *fakeMem, r *Runtime) {
			f.set(m, o.MP, p)
			f.set32(p, o.PID, 1<<31)
		}, "101 worker none 0/0 g0 pc0 cur0 P-1"},
		{"locked", func(f *fakeMem, r *Runtime) { f.lockTo(m, g, 2, 0, gSyscall) },
			"101 worker user 2/0 g17 pc405000 cur17 P-1"},
		{"locked in a callback", func(f *fakeMem, r *Runtime) { f.lockTo(m, g, 1, 1, gRunning) },
			"101 worker user 1/1 g17 pc405000 cur17 P-1"},
		{"callback", func(f *fakeMem, r *Runtime) { f.lockTo(m, g, 0, 1, gRunning) },
			"101 worker runtime 0/1 g17 pc405000 cur17 P-1"},
		{"parked", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 1, 0, gWaiting)
			f.set(m, o.MCurG, 0)
			f.set32(g, o.GWaitReason, 0xffffff0d)
		}, "101 worker user 1/0 g17 pc405000 cur0 P-1 parked wait13"},
		{"runnable, scanned", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 1, 0, gRunnable|gScan)
		}, "101 worker user 1/0 g17 pc405000 cur17 P-1 parked"},
		{"running, scanned", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 1, 0, gRunning|gScan)
		}, "101 worker user 1/0 g17 pc405000 cur17 P-1"},
		{"stack is copied", func(f *fakeMem, r *Runtime) { f.lockTo(m, g, 1, 0, 8) },
			"101 worker user 1/0 g17 pc405000 cur17 P-1"},
		{"current goroutine left", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 0, 0, gRunning)
			f.set(g, o.GM, fakeM0)
		}, "101 worker none 0/0 g0 pc0 cur0 P-1"},

		// proc.go: LockOSThread counts first, dolockOSThread sets m.lockedg, then g.lockedm.
		{"counted", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 1, 0, gRunning)
			f.set(m, o.MLockedG, 0)
			f.set(g, o.GLockedM, 0)
		}, "101 worker unknown"},
		{"half set", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 1, 0, gRunning)
			f.set(g, o.GLockedM, 0)
		}, "101 worker unknown"},
		{"locked to another", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 1, 0, gRunning)
			f.set(g, o.GLockedM, fakeM0)
		}, "101 worker unknown"},
		{"goroutine unreadable", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 1, 0, gRunning)
			f.set(m, o.MLockedG, 1<<50)
		}, "101 worker unknown"},
		{"runtime's lock on nothing", func(f *fakeMem, r *Runtime) { f.set32(m, o.MLockedInt, 1) }, "101 worker unknown"},

		// proc.go: gdestroy clears lockedg and curg, mexit gives the P away.
		{"exiting", func(f *fakeMem, r *Runtime) { f.set32(m, o.MLockedExt, 1) }, "101 worker exiting 1/0 g0 pc0 cur0 P-1"},
		{"exiting or a coroutine's end", func(f *fakeMem, r *Runtime) {
			f.set32(m, o.MLockedExt, 1)
			f.set(m, o.MP, p)
		}, "101 worker unknown"},
		{"wedged", func(f *fakeMem, r *Runtime) {
			r.M0 = m
			f.set32(m, o.MLockedExt, 1)
		}, "101 main wedged 1/0 g0 pc0 cur0 P-1"},
		{"wedged, m0 not known", func(f *fakeMem, r *Runtime) {
			r.M0 = 0
			f.set(m, o.MID, 0)
			f.set32(m, o.MLockedExt, 1)
		}, "101 main wedged 1/0 g0 pc0 cur0 P-1"},

		{"sysmon", func(f *fakeMem, r *Runtime) { f.set(m, o.MStartFn, fn); f.words[fn] = fakeSysmon },
			"101 sysmon none 0/0 g0 pc0 cur0 P-1"},
		{"template", func(f *fakeMem, r *Runtime) { f.set(m, o.MStartFn, fn); f.words[fn] = fakeTemplate },
			"101 template none 0/0 g0 pc0 cur0 P-1"},
		{"spinning", func(f *fakeMem, r *Runtime) { f.set(m, o.MStartFn, fn); f.words[fn] = 0x403000 },
			"101 worker none 0/0 g0 pc0 cur0 P-1"},
		{"start function unreadable", func(f *fakeMem, r *Runtime) { f.set(m, o.MStartFn, 1<<50) },
			"101 unknown none 0/0 g0 pc0 cur0 P-1"},
		{"sysmon or not", func(f *fakeMem, r *Runtime) {
			r.Sysmon = 0
			f.set(m, o.MStartFn, fn)
			f.words[fn] = fakeSysmon
		}, "101 unknown none 0/0 g0 pc0 cur0 P-1"},
		{"not sysmon: it runs goroutines", func(f *fakeMem, r *Runtime) {
			r.Sysmon = 0
			f.lockTo(m, g, 0, 0, gRunning)
			f.set(m, o.MStartFn, fn)
			f.words[fn] = 0x403000
		}, "101 worker none 0/0 g0 pc0 cur17 P-1"},

		{"extra", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 0, 2, gRunning)
			f.set(g, o.GStartPC, 0)
			f.words[m+uint64(o.MIsExtra)&^7] = 1 << 8
		}, "101 cgo_extra runtime 0/2 g17 pc0 cur17 P-1"},
		{"no bool", func(f *fakeMem, r *Runtime) { f.words[m+uint64(o.MIsExtra)&^7] = 2 << 8 },
			"101 unknown none 0/0 g0 pc0 cur0 P-1"},
		{"extra that waits for a thread", func(f *fakeMem, r *Runtime) {
			f.lockTo(m, g, 0, 1, gDeadExtra)
			f.words[m+uint64(o.MIsExtra)&^7] = 1 << 8
		}, "0 cgo_extra runtime 0/1 g17 pc405000 cur0 P-1"},
		{"before isextra: extra", func(f *fakeMem, r *Runtime) {
			withoutIsExtra(r)
			f.lockTo(m, g, 0, 1, gSyscall)
			f.set(g, o.GStartPC, 0)
		}, "101 cgo_extra runtime 0/1 g17 pc0 cur17 P-1"},
		{"before isextra: callback", func(f *fakeMem, r *Runtime) {
			withoutIsExtra(r)
			f.lockTo(m, g, 0, 1, gSyscall)
		}, "101 worker runtime 0/1 g17 pc405000 cur17 P-1"},
		{"before isextra: contradiction", func(f *fakeMem, r *Runtime) {
			withoutIsExtra(r)
			f.set32(m, o.MLockedInt, 1)
		}, "101 unknown unknown"},
		{"before isextra: left by its thread", func(f *fakeMem, r *Runtime) {
			withoutIsExtra(r)
			f.lockTo(m, g, 0, 1, gDead)
			f.set(g, o.GStartPC, 0)
		}, "0 cgo_extra runtime 0/1 g17 pc0 cur0 P-1"},

		{"not begun", func(f *fakeMem, r *Runtime) { f.set(m, o.MProcID, 0) }, "0 worker none 0/0 g0 pc0 cur0 P-1"},
		{"joins the list", func(f *fakeMem, r *Runtime) {
			f.set(m, o.MProcID, 0)
			f.set(m, o.MG0, 0)
		}, "0 worker none 0/0 g0 pc0 cur0 P-1"},
		{"gets its g0", func(f *fakeMem, r *Runtime) {
			f.set(m, o.MProcID, 0)
			f.set(m+0x800, o.GM, 0)
		}, "0 worker none 0/0 g0 pc0 cur0 P-1"},
		{"no tid", func(f *fakeMem, r *Runtime) { f.set(m, o.MProcID, 1<<40) }, "0 worker unknown"},
		{"another's tid", func(f *fakeMem, r *Runtime) { f.set(m, o.MProcID, 100) }, "100 unknown unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, f := fakeRuntime(3)
			c.set(f, r)
			ms, err := r.Ms()
			if err != nil {
				t.Fatal(err)
			}
			if got := machineWords(ms[1]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func withoutIsExtra(r *Runtime) {
	o := fakeOffsets
	o.MIsExtra = Absent
	r.Offsets = &o
}

// machineWords writes the fields of an M as text.
func machineWords(m M) string {
	s := fmt.Sprintf("%d %s %s", m.TID, m.Role, m.Lock)
	if m.Lock == LockUnknown {
		return s
	}
	s += fmt.Sprintf(" %d/%d g%d pc%x cur%d P%d", m.Ext, m.Int, m.GoID, m.EntryPC, m.CurGoID, m.P)
	if m.Parked {
		s += " parked"
	}
	if m.WaitReason != 0 {
		s += fmt.Sprintf(" wait%d", m.WaitReason)
	}
	return s
}

// TestMsTorn: a lock that changes between the reads is read again; one that always changes is
// unknown.
func TestMsTorn(t *testing.T) {
	const m, g = fakeM0 + 0x2000, 0x600000
	for changes, want := range map[int]string{0: LockUser, 1: LockUser, 3: LockUser, 1000: LockUnknown} {
		r, f := fakeRuntime(2)
		f.lockTo(m, g, 1, 0, gRunning)
		left := changes
		f.onRead = func(addr uint64) {
			if addr == g+uint64(fakeOffsets.GM) && left > 0 { // the reader reads the goroutine between two reads of its M
				left--
				f.set32(m, fakeOffsets.MLockedExt, uint32(1+left%2))
			}
		}
		got, err := r.MAt(m, 101)
		if err != nil || got.Lock != want {
			t.Errorf("%d changes: %+v, %v", changes, got, err)
		}
	}
}

func TestMsHostile(t *testing.T) {
	o := &fakeOffsets
	for name, c := range map[string]struct {
		set  func(f *fakeMem, r *Runtime)
		want string // part of the error
		n    int    // Ms nevertheless
	}{
		"loop":        {func(f *fakeMem, r *Runtime) { f.set(fakeM(0), o.MAllLink, fakeM(2)) }, "leads back", 4},
		"self":        {func(f *fakeMem, r *Runtime) { f.set(fakeM(3), o.MAllLink, fakeM(3)) }, "leads back", 1},
		"odd":         {func(f *fakeMem, r *Runtime) { f.set(fakeM(2), o.MAllLink, fakeM(1)+1) }, "not the address", 2},
		"kernel":      {func(f *fakeMem, r *Runtime) { f.set(fakeM(2), o.MAllLink, ^uint64(7)) }, "not the address", 2},
		"null page":   {func(f *fakeMem, r *Runtime) { f.set(fakeM(2), o.MAllLink, 8) }, "not the address", 2},
		"not mapped":  {func(f *fakeMem, r *Runtime) { f.set(fakeM(2), o.MAllLink, 1<<44) }, "read memory", 2},
		"no M":        {func(f *fakeMem, r *Runtime) { f.set(fakeM(2), o.MAllLink, 0x900000) }, "no M at", 2},
		"no g0":       {func(f *fakeMem, r *Runtime) { f.set(fakeM(1), o.MG0, 0) }, "no M at", 2},
		"empty g0":    {func(f *fakeMem, r *Runtime) { f.set(fakeM(1)+0x800, o.GM, 0) }, "no M at", 2},
		"another's":   {func(f *fakeMem, r *Runtime) { f.set(fakeM(1), o.MG0, fakeM(2)+0x800) }, "no M at", 2},
		"allm":        {func(f *fakeMem, r *Runtime) { r.AllM = 1 << 50 }, "runtime.allm", 0},
		"offsets":     {func(f *fakeMem, r *Runtime) { r.Offsets = &Offsets{MID: 1 << 30} }, ErrNoOffsets.Error(), 0},
		"no offsets":  {func(f *fakeMem, r *Runtime) { r.Offsets = nil }, ErrNoOffsets.Error(), 0},
		"no allm":     {func(f *fakeMem, r *Runtime) { r.AllM = 0 }, ErrNoAllM.Error(), 0},
		"not enough":  {func(f *fakeMem, r *Runtime) { f.set(fakeM(0), o.MAllLink, fakeM(4)) }, "no M at", 4},
		"empty":       {func(f *fakeMem, r *Runtime) { f.words[fakeAllM] = 0 }, "", 0},
		"all is well": {func(f *fakeMem, r *Runtime) {}, "", 4},
	} {
		r, f := fakeRuntime(4)
		c.set(f, r)
		ms, err := r.Ms()
		if len(ms) != c.n || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d Ms, %v; want %d, %q", name, len(ms), err, c.n, c.want)
		}
	}
}

const readsOfM = 20 // more than the reads of one M that does not change

// TestMsEndless: the walk of a list without end stops at a number of Ms.
func TestMsEndless(t *testing.T) {
	r, f := fakeRuntime(maxMs + 10)
	ms, err := r.Ms()
	if len(ms) > maxMs || !errors.Is(err, objfile.ErrLimit) {
		t.Errorf("%d Ms, %v", len(ms), err)
	}
	if f.reads > readsOfM*maxMs {
		t.Errorf("%d reads", f.reads)
	}
}

// TestMsSlow: the walk of a list that takes long stops at its deadline. Reads after the deadline
// are counted, as a busy machine may delay any of them.
func TestMsSlow(t *testing.T) {
	r, f := fakeRuntime(maxMs)
	var first time.Time // the deadline is at most walkTime after it
	late := 0
	f.onRead = func(uint64) {
		switch {
		case f.reads == 1:
			first = time.Now()
		case time.Since(first) > walkTime:
			late++
		case f.reads%100 == 0:
			time.Sleep(walkTime / 20)
		}
	}
	ms, err := r.Ms()
	if len(ms) == 0 || !errors.Is(err, objfile.ErrLimit) {
		t.Errorf("%d Ms, %v", len(ms), err)
	}
	if late > readsOfM {
		t.Errorf("%d reads after the deadline", late)
	}
}

func TestThreadM(t *testing.T) {
	const tls, g = 0x700008, 0x600000
	slot := uint64(tls - 8)
	r, f := fakeRuntime(3)
	f.lockTo(fakeM(2), g, 4, 0, gRunning)
	f.words[slot] = g
	if m, err := r.ThreadM(tls, 102); err != nil || m.ID != 2 || m.Lock != LockUser || m.Ext != 4 {
		t.Errorf("ThreadM = %+v, %v", m, err)
	}
	f.words[slot] = fakeM(1) + 0x800 // on its g0
	if m, err := r.ThreadM(tls, 101); err != nil || m.ID != 1 {
		t.Errorf("ThreadM = %+v, %v", m, err)
	}
	for name, c := range map[string]struct {
		g    uint64
		tid  int32
		want error
	}{
		"foreign":         {0, 102, ErrForeign},
		"another thread":  {g, 101, ErrCheck},
		"no thread":       {g, 0, ErrCheck},
		"garbage":         {12345, 102, ErrCheck},
		"g of no M":       {0x900000, 102, ErrCheck},
		"g of a wrong M":  {0xa00000, 102, ErrCheck},
		"g in the kernel": {^uint64(7), 102, ErrCheck},
	} {
		f.words[slot] = c.g
		f.set(0xa00000, fakeOffsets.GM, 0xb00000)
		if m, err := r.ThreadM(tls, c.tid); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := r.ThreadM(0, 102); err == nil {
		t.Error("a thread without a thread pointer has an M")
	}
	r.GSlot = &GSlot{Register: true}
	if m, err := r.ThreadM(g, 102); err != nil || m.ID != 2 {
		t.Errorf("g in a register: %+v, %v", m, err)
	}
	r.GSlot = nil
	if _, err := r.ThreadM(tls, 102); !errors.Is(err, ErrNoOffsets) {
		t.Errorf("no slot: %v", err)
	}
}

package goruntime

import (
	"strings"
	"testing"
)

// fakeCode has a function of 0x100 bytes at each address: its frame, and a name.
type fakeCode map[uint64]struct {
	name string
	size uint64
}

func (c fakeCode) Frames(pc uint64) []Frame {
	if f, ok := c[pc&^0xff]; ok {
		return []Frame{{Func: f.name}}
	}
	return nil
}

func (c fakeCode) FrameSize(pc uint64) (uint64, bool) {
	f, ok := c[pc&^0xff]
	return f.size, ok && f.name != "main.switchesStacks"
}

// Addresses of the fake program.
const (
	fakeStack = 0x40000 // of one goroutine, up to fakeHigh
	fakeHigh  = 0x48000
	leafPC    = 0x1010
	workPC    = 0x1110
	runPC     = 0x1210
	goexitPC  = 0x1301
	preemptPC = 0x1410
	odd       = 0x1510 // its frame is not known
)

var fakeProgram = fakeCode{
	0x1000: {"main.leaf", 16}, 0x1100: {"main.work", 32}, 0x1200: {"main.run", 8}, 0x1300: {"runtime.goexit", 0},
	0x1400: {"runtime.asyncPreempt", 24}, 0x1500: {"main.switchesStacks", 0}, 0x1600: {"main.noFrame", 0},
}

// fakeGoroutine has the second M run a goroutine with the status and the words on its stack, from
// fakeStack+0x1000 on.
func fakeGoroutine(status uint32, words ...uint64) (*Runtime, *fakeMem, *M) {
	const m, g = fakeM0 + 0x2000, 0x600000
	r, f := fakeRuntime(2)
	f.lockTo(m, g, 1, 0, status)
	o := &fakeOffsets
	f.set(g, o.GStack, fakeStack)
	f.set(g, o.GStack+8, fakeHigh)
	for _, at := range []uint32{o.GSched, o.GSyscallSP} {
		f.set(g, at, fakeStack+0x1000)
		f.set(g, at+8, leafPC)
	}
	for i, w := range words {
		f.words[fakeStack+0x1000+8*uint64(i)] = w
	}
	machine, err := r.MAt(m, 101)
	if err != nil {
		panic(err)
	}
	return r, f, &machine
}

// amd64 is the stack of leaf, work, run and goexit: the return address is above each frame.
var amd64 = []uint64{0, 0, workPC, 0, 0, 0, 0, runPC, 0, goexitPC}

// arm64 is the same: the link register is at the bottom of each frame.
var arm64 = []uint64{workPC, 0, runPC, 0, 0, 0, goexitPC, 0}

func TestUnwind(t *testing.T) {
	const g = 0x600000
	o := &fakeOffsets
	for name, c := range map[string]struct {
		status uint32
		arch   string
		words  []uint64
		edit   func(r *Runtime, f *fakeMem)
		regs   Registers
		want   string // functions; "+" at the end: the whole stack
		state  string
	}{
		"system call": {status: gSyscall, words: amd64, want: "leaf work run+", state: "in call"},
		"parked":      {status: gWaiting, words: amd64, want: "leaf work run+", state: "parked"},
		"preempted":   {status: gPreempted | gScan, words: amd64, want: "leaf work run+", state: "parked"},
		"runs":        {status: gRunning, words: amd64},
		"runs in the kernel": {status: gRunning, words: amd64, regs: Registers{fakeStack + 0x1000, leafPC},
			want: "leaf work run+"},
		"runs on another stack": {status: gRunning, words: amd64, regs: Registers{fakeHigh + 0x1000, leafPC}},
		"arm64":                 {status: gSyscall, arch: "arm64", words: arm64, want: "leaf work run+", state: "in call"},
		"arm64, preempted": {status: gWaiting, arch: "arm64",
			words: []uint64{preemptPC, 0, leafPC, 0, 0, workPC, 0, workPC, 0, runPC, 0, 0, 0, goexitPC, 0},
			want:  "leaf asyncPreempt leaf work run+", state: "parked"},
		"arm64, preempted in a function without a frame": {status: gWaiting, arch: "arm64",
			words: []uint64{preemptPC, 0, 0x1610, 0, 0, workPC, 0, runPC, 0, 0, 0, goexitPC, 0},
			want:  "leaf asyncPreempt noFrame work run+", state: "parked"},
		"amd64, preempted": {status: gWaiting, words: []uint64{0, 0, preemptPC, 0, 0, 0, 0x1100, 0, 0, 0, 0, runPC, 0,
			goexitPC},
			want: "leaf asyncPreempt work run+", state: "parked"},

		"not Go code":       {status: gSyscall, words: []uint64{0, 0, 0x7f0000}, want: "leaf", state: "in call"},
		"a frame not known": {status: gSyscall, words: []uint64{0, 0, odd}, want: "leaf switchesStacks", state: "in call"},
		"null":              {status: gSyscall, words: nil, want: "leaf", state: "in call"},
		"goexit alone": {status: gSyscall, edit: func(_ *Runtime, f *fakeMem) { f.set(g, o.GSyscallPC, goexitPC) },
			state: "in call"},
		"saved pc not Go": {status: gSyscall, edit: func(_ *Runtime, f *fakeMem) { f.set(g, o.GSyscallPC, 7) },
			state: "in call"},
		"odd stack pointer": {status: gSyscall, edit: func(_ *Runtime, f *fakeMem) { f.set(g, o.GSyscallSP, fakeStack+1) },
			state: "in call"},
		"below the stack": {status: gSyscall, edit: func(_ *Runtime, f *fakeMem) { f.set(g, o.GSyscallSP, fakeStack-8) },
			state: "in call"},
		"at its end": {status: gSyscall, edit: func(_ *Runtime, f *fakeMem) { f.set(g, o.GSyscallSP, fakeHigh) },
			state: "in call"},
		"the last words": {status: gSyscall, edit: func(_ *Runtime, f *fakeMem) { f.set(g, o.GSyscallSP, fakeHigh-8) },
			want: "leaf", state: "in call"},
		"stack of no size": {status: gSyscall, edit: func(_ *Runtime, f *fakeMem) { f.set(g, o.GStack+8, fakeStack) },
			state: "in call"},
		"stack of all memory": {status: gSyscall, words: amd64,
			edit: func(_ *Runtime, f *fakeMem) { f.set(g, o.GStack+8, ^uint64(0)) }, state: "in call"},
		"not mapped": {status: gSyscall, edit: func(_ *Runtime, f *fakeMem) {
			f.set(g, o.GStack, 1<<40)
			f.set(g, o.GStack+8, 1<<50)
			f.set(g, o.GSyscallSP, 1<<44)
		}, want: "leaf", state: "in call"},
	} {
		t.Run(name, func(t *testing.T) {
			r, f, m := fakeGoroutine(c.status, c.words...)
			r.Arch = c.arch
			if c.edit != nil {
				c.edit(r, f)
			}
			s, err := r.Stacks(fakeProgram)
			if err != nil {
				t.Fatal(err)
			}
			g, err := s.Read(m, c.regs)
			if err != nil {
				t.Fatal(err)
			}
			got := functionsOf(g)
			state := map[[2]bool]string{{true, false}: "in call", {false, true}: "parked"}[[2]bool{g.InCall, g.Parked}]
			if got != c.want || state != c.state || g.ID != 17 || g.EntryPC != 0x405000 {
				t.Errorf("got %q %q, want %q %q; %+v", got, state, c.want, c.state, g)
			}
		})
	}
}

func functionsOf(g Goroutine) string {
	var names []string
	for _, f := range g.Frames {
		_, name, _ := strings.Cut(f.Func, ".")
		names = append(names, name)
	}
	s := strings.Join(names, " ")
	if g.Whole {
		s += "+"
	}
	return s
}

// TestUnwindEndless: a stack that calls itself for ever is followed up to a number of calls, and
// read a bounded number of times.
func TestUnwindEndless(t *testing.T) {
	words := make([]uint64, (fakeHigh-fakeStack-0x1000)/8)
	for i := range words {
		words[i] = workPC
	}
	r, f, m := fakeGoroutine(gSyscall, words...)
	s, err := r.Stacks(fakeProgram)
	if err != nil {
		t.Fatal(err)
	}
	f.reads = 0
	g, err := s.Read(m, Registers{})
	if err != nil || len(g.Frames) != maxCalls || g.Whole {
		t.Errorf("%d frames, whole %t, %v", len(g.Frames), g.Whole, err)
	}
	if f.reads > 2+(fakeHigh-fakeStack)/stackChunk {
		t.Errorf("%d reads", f.reads)
	}
	// arm64: a function without a frame that returns to itself.
	r.Arch = "arm64"
	loops := fakeCode{0x1000: {"main.leaf", 0}, 0x1400: {"runtime.sigpanic", 0}}
	if s, err = r.Stacks(loops); err != nil {
		t.Fatal(err)
	}
	if g, err = s.Read(m, Registers{}); err != nil || len(g.Frames) != 1 || g.Whole {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestStackTorn: a goroutine that changes while it is read is read again; one that always changes
// runs; one of another thread is an error.
func TestStackTorn(t *testing.T) {
	const g = 0x600000
	for changes, want := range map[int]string{0: "leaf work run+", 1: "leaf work run+", 1000: ""} {
		r, f, m := fakeGoroutine(gSyscall, amd64...)
		s, err := r.Stacks(fakeProgram)
		if err != nil {
			t.Fatal(err)
		}
		left := changes
		f.onRead = func(addr uint64) {
			if addr >= fakeStack && addr < fakeHigh && left > 0 { // between two reads of the goroutine
				left--
				f.set(g, fakeOffsets.GSched, uint64(left)*8)
			}
		}
		got, err := s.Read(m, Registers{})
		if err != nil || functionsOf(got) != want || got.InCall != (want != "") {
			t.Errorf("%d changes: %+v, %v", changes, got, err)
		}
	}
	for name, edit := range map[string]func(f *fakeMem, m *M){
		"another goroutine": func(f *fakeMem, _ *M) { f.set(g, fakeOffsets.GGoid, 18) },
		"no number":         func(f *fakeMem, m *M) { f.set(g, fakeOffsets.GGoid, 0); m.GoID, m.CurGoID = 0, 0 },
		"another thread": func(f *fakeMem, _ *M) {
			f.set(g, fakeOffsets.GM, fakeM0)
			f.set(g, fakeOffsets.GLockedM, 0)
		},
		"none":       func(_ *fakeMem, m *M) { m.G = 0 },
		"not mapped": func(_ *fakeMem, m *M) { m.G = 1 << 50 },
	} {
		r, f, m := fakeGoroutine(gSyscall, amd64...)
		s, err := r.Stacks(fakeProgram)
		if err != nil {
			t.Fatal(err)
		}
		edit(f, m)
		if got, err := s.Read(m, Registers{}); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestNone: a thread that had no goroutine when its M was read may have one by now.
func TestNone(t *testing.T) {
	r, f, m := fakeGoroutine(gSyscall, amd64...)
	s, err := r.Stacks(fakeProgram)
	if err != nil {
		t.Fatal(err)
	}
	if s.None(m) {
		t.Error("the goroutine that it runs is overlooked")
	}
	f.set(m.Addr, fakeOffsets.MCurG, 0)
	if !s.None(m) {
		t.Error("it has none, and none is not reported")
	}
	if m.Addr = 1 << 50; s.None(m) { // not mapped
		t.Error("what can't be read is none")
	}
}

package goruntime

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/pclntab"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

// FuzzStack reads the Ms, their goroutines and their stacks from memory that holds anything, and that
// changes while it is read. edits has pairs of an address and a word; all but the first stay of them
// are written during the reads.
func FuzzStack(f *testing.F) {
	edit := func(pairs ...uint64) (b []byte) {
		for _, v := range pairs {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		return b
	}
	const g = 0x600000
	o := &fakeOffsets
	f.Add(edit(), uint8(0), uint32(gSyscall), false, uint64(0), uint64(0))
	f.Add(edit(g+uint64(o.GSyscallSP), fakeHigh-8), uint8(1), uint32(gSyscall), true, uint64(0), uint64(0))
	f.Add(edit(fakeStack+0x1010, preemptPC, fakeStack+0x1030, 0x1100), uint8(0), uint32(gWaiting), true,
		uint64(fakeStack+0x1000), uint64(leafPC))
	f.Add(edit(fakeM0+uint64(o.MAllLink), fakeM0+0x2000, g+uint64(o.GGoid), 18), uint8(1), uint32(gRunning), false,
		uint64(fakeStack+0x1000), uint64(leafPC))
	f.Fuzz(func(t *testing.T, edits []byte, stay uint8, status uint32, arm bool, sp, pc uint64) {
		words := amd64
		if arm {
			words = arm64
		}
		r, mem, m := fakeGoroutine(status&15, words...)
		if arm {
			r.Arch = "arm64"
		}
		write := func() {
			if len(edits) >= 16 {
				mem.words[binary.LittleEndian.Uint64(edits)&^7] = binary.LittleEndian.Uint64(edits[8:])
				edits = edits[16:]
			}
		}
		for range stay {
			write()
		}
		mem.onRead = func(uint64) { write() }
		ms, _ := r.Ms()
		s, err := r.Stacks(fakeProgram)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range append(ms, *m) {
			mem.reads = 0
			g, err := s.Read(&m, Registers{SP: sp, PC: pc})
			if most := (stackTries + 1) * (1 + 3*maxCalls); mem.reads > most || len(g.Frames) > maxCalls {
				t.Errorf("%d reads, %d frames", mem.reads, len(g.Frames))
			}
			if err == nil && (g.ID == 0 || g.InCall && g.Parked || g.Whole && len(g.Frames) == 0) {
				t.Errorf("got %+v of %+v", g, m)
			}
		}
	})
}

// FuzzMemory searches a Go program in memory that holds anything, in two pieces.
func FuzzMemory(f *testing.F) {
	const base = 0x400000
	f.Add(testprog.Program(), uint16(0x200), uint16(0))
	f.Add(testprog.Program(), uint16(0x40), uint16(4096))
	f.Fuzz(func(t *testing.T, data []byte, cut, gap uint16) {
		at := min(uint64(cut), uint64(len(data)))
		piece := func(from, to, shift uint64) elf.Prog64 {
			return elf.Prog64{
				Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X), Vaddr: base + from + shift,
				Off: base + from + shift, Filesz: to - from, Memsz: to - from,
			}
		}
		pieces := []elf.Prog64{piece(0, at, 0), piece(at, uint64(len(data)), uint64(gap))}
		mem := shifted{bytes.NewReader(data), base}
		left := uint64(maxMemory)
		img := objfile.MemoryImage(mem, elf.EM_X86_64, segments(pieces, &left))
		r := &Runtime{Info: Info{Unknown: map[string]error{}}, mem: mem, obj: &object{img: img}, process: &process{}}
		if _, err := pclntab.FindEntries(img, img.Space()); err != nil {
			_, _ = objfile.FindBuildInfo(img)
			return
		}
		if err := r.describe(Options{}); err == nil && r.GoVersion != "" && r.Unknown["GoVersion"] != nil {
			t.Errorf("got %+v", r.Info)
		}
		_, _ = r.Symbols()
		_, _ = r.Ms()
	})
}

// shifted is memory whose first byte has the address base.
type shifted struct {
	*bytes.Reader
	base int64
}

func (s shifted) ReadAt(p []byte, off int64) (int, error) { return s.Reader.ReadAt(p, off-s.base) }

// FuzzLockFields decodes anything as the code that locks a goroutine.
func FuzzLockFields(f *testing.F) {
	f.Add([]byte{0x48, 0x8b, 0x40, 0x30, 0xff, 0x80, 0x70, 2, 0, 0}) // MOVQ 48(AX), AX; INCL 624(AX)
	f.Add([]byte{0x83, 0x1b, 0x40, 0xf9})                            // MOVD 48(R28), R3
	f.Fuzz(func(_ *testing.T, code []byte) {
		fields := map[uint32]bool{}
		fieldsAMD64(code, fields)
		fieldsARM64(code, fields)
		fits(fields, &fakeOffsets)
	})
}

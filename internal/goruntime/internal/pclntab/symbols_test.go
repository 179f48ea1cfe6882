package pclntab

import (
	"bufio"
	"debug/gosym"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

// A programFrame is a frame as testdata/symbols reports it.
type programFrame struct {
	PC, Entry  uint64
	Func, File string
	Line       int
	Inlined    bool
}

func (f programFrame) frame() Frame {
	if f.File == "?" && f.Line == 0 { // the runtime does not know the place
		f.File = ""
	}
	return Frame{Func: clean(f.Func), File: f.File, Line: f.Line} // the runtime has names of more than 1 KiB
}

// A program is a running testdata/symbols.
type program struct {
	pid    int
	stacks [][]programFrame
	stdin  io.WriteCloser
	lines  *bufio.Reader
}

// build builds a program of testdata.
func build(t testing.TB, name, goroot, ldflags string, args ...string) string {
	t.Helper()
	return testprog.Build(t, "testdata/"+name, goroot, ldflags, args...)
}

func startProgram(t *testing.T, exe string) *program {
	t.Helper()
	proc, stdin, stdout := testprog.StartPiped(t, exe)
	p := &program{pid: proc.Pid, stdin: stdin, lines: bufio.NewReader(stdout)}
	p.read(t, &p.stacks)
	return p
}

// read decodes the next line of the program's output.
func (p *program) read(t testing.TB, v any) {
	t.Helper()
	line, err := p.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// frames asks the program for the frames of a program counter.
func (p *program) frames(t testing.TB, pc uint64) (frames []programFrame) {
	t.Helper()
	if _, err := fmt.Fprintf(p.stdin, "%x\n", pc); err != nil {
		t.Fatal(err)
	}
	p.read(t, &frames)
	return frames
}

// openProcess opens the symbols of a running program.
func openProcess(t *testing.T, pid int) *Symbols {
	t.Helper()
	files := make(map[string]*os.File)
	for _, name := range []string{"exe", "mem"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files[name] = f
	}
	img, err := objfile.ReadFile(files["exe"])
	if err != nil {
		t.Fatal(err)
	}
	bias := runtimeEntry(t, pid) - img.Entry
	s := img.Space()
	if bias != 0 {
		s = objfile.MemorySpace(files["mem"], bias)
	}
	symbols, err := Open(img, s, bias)
	if err != nil {
		t.Fatal(err)
	}
	return symbols
}

// runtimeEntry returns AT_ENTRY of a process.
func runtimeEntry(t *testing.T, pid int) uint64 {
	t.Helper()
	auxv, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	if err != nil {
		t.Fatal(err)
	}
	const atEntry = 9 // include/uapi/linux/auxvec.h
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.LittleEndian.Uint64(auxv) == atEntry {
			return binary.LittleEndian.Uint64(auxv[8:])
		}
	}
	t.Fatal("no AT_ENTRY")
	return 0
}

// TestSymbols compares the frames that Symbols reads from outside with those that the program
// reports.
func TestSymbols(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, v := range testprog.Variants {
			if v.Race {
				continue // pclntab does not depend on -race
			}
			t.Run(filepath.Base(goroot)+"/"+v.Name, func(t *testing.T) {
				prog := startProgram(t, build(t, "symbols", goroot, v.LDFlags, v.Args...))
				s := openProcess(t, prog.pid)
				if err := s.Inlining(); err != nil {
					t.Error("inlined calls are not known:", err)
				}
				compareStacks(t, s, prog.stacks)
				comparePCs(t, s, prog)
			})
		}
	}
}

// compareStacks looks up every program counter of the stacks, also the invented ones of inlined
// calls.
func compareStacks(t *testing.T, s *Symbols, stacks [][]programFrame) {
	t.Helper()
	inlined := 0
	for _, stack := range stacks {
		for i, f := range stack {
			n := 1
			for i+n < len(stack) && stack[i+n-1].Inlined && stack[i+n].Entry == f.Entry {
				n++
			}
			inlined += n - 1
			want := stack[i : i+n]
			got := s.Frames(f.PC - 1)
			// The runtime leaves out functions that the compiler made to call another.
			if want[n-1].Inlined && len(got) != n+1 {
				t.Errorf("pc %#x: got %+v, want %+v and a wrapper", f.PC-1, got, want)
			}
			compareFrames(t, s, f.PC-1, got, want)
		}
	}
	if inlined < 20 {
		t.Errorf("%d inlined calls in %d stacks: nothing to compare", inlined, len(stacks))
	}
}

// comparePCs asks the program about many of its program counters, and about addresses outside its
// code.
func comparePCs(t *testing.T, s *Symbols, prog *program) {
	t.Helper()
	const count, beyond = 3000, 4096
	start, end := s.Text()
	rnd := rand.New(rand.NewPCG(1, 2))
	compared, inlined := 0, 0
	for range count {
		pc := start - beyond + rnd.Uint64N(end-start+2*beyond)
		got := s.Frames(pc)
		if len(got) > 0 && got[0].Line == 0 && s.table.units == 0 {
			continue // between two functions, where the runtime throws until Go 1.15
		}
		want := prog.frames(t, pc)
		if pc < start || pc >= end {
			if got != nil || s.Name(pc) != "" {
				t.Errorf("pc %#x, not in %#x-%#x: got %+v, %q", pc, start, end, got, s.Name(pc))
			}
			continue
		}
		if len(want) == 0 {
			continue // the last byte of a function
		}
		compared++
		compareFrames(t, s, pc, got, want)
		for i := 1; want[0].Inlined && i < len(got); i++ {
			inlined++
		}
		// Before Go 1.23 the runtime reports only the innermost call of a program counter: ask for each.
		if fn, ok := s.find(pc); ok && want[len(want)-1].Inlined {
			calls, outer, err := s.trees.calls(fn, pc-s.bias)
			if err != nil {
				t.Fatal(err)
			}
			for i := range calls {
				next := outer
				if i+1 < len(calls) {
					next = calls[i+1].pc
				}
				compareFrames(t, s, pc, got[i+1:], prog.frames(t, next+s.bias))
			}
		}
	}
	if compared < count/2 || inlined < count/20 {
		t.Errorf("%d program counters compared, %d inlined calls", compared, inlined)
	}
	t.Logf("%d program counters, %d inlined calls in %#x-%#x", compared, inlined, start, end)
}

func compareFrames(t *testing.T, s *Symbols, pc uint64, got []Frame, reported []programFrame) {
	t.Helper()
	var want []Frame
	for i, f := range reported {
		if f.Func == "" && i < len(got) {
			f.Func = got[i].Func // the runtime has no name for the function whose name is the first in the table
		}
		if s.table.layout.startLine {
			f.Func = elide(f.Func) // Go 1.20 has the same table as Go 1.21, but leaves "[2]" in "type..eq.[2]main.T"
		}
		want = append(want, f.frame())
	}
	last := reported[len(reported)-1]
	if len(got) < len(want) || !last.Inlined && len(got) != len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("pc %#x: got %+v, want %+v", pc, got, reported)
		return
	}
	if name := s.Name(pc); name != got[len(got)-1].Func {
		t.Errorf("pc %#x: Name = %q, want %q", pc, name, got[len(got)-1].Func)
	}
	if entry, ok := s.Entry(pc); !ok || entry != last.Entry {
		t.Errorf("pc %#x: Entry = %#x, %t, want %#x", pc, entry, ok, last.Entry)
	}
}

// fileSymbols opens the symbols of a program that is not PIE, which needs no process.
func fileSymbols(t *testing.T, exe string) (*Symbols, *objfile.Image) {
	t.Helper()
	f, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	img, err := objfile.ReadFile(f)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(img, img.Space(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, img
}

// TestSymbolsOtherArchitectures compares functions and lines with debug/gosym, which has no inlined
// calls.
func TestSymbolsOtherArchitectures(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, arch := range []string{"amd64", "arm64"} {
			t.Run(filepath.Base(goroot)+"/"+arch, func(t *testing.T) {
				t.Setenv("GOARCH", arch)
				s, img := fileSymbols(t, build(t, "symbols", goroot, "-s -w"))
				sec, err := tableSection(img)
				if err != nil {
					t.Fatal(err)
				}
				data := make([]byte, sec.Size)
				if _, err := img.Contents(sec).ReadAt(data, 0); err != nil {
					t.Fatal(err)
				}
				start, end := s.Text()
				table, err := gosym.NewTable(nil, gosym.NewLineTable(data, start))
				if err != nil {
					t.Fatal(err)
				}
				inlined := 0
				for pc := start; pc < end; pc += 64 {
					got := s.Frames(pc)
					file, line, fn := table.PCToLine(pc)
					if len(got) == 0 || fn == nil {
						t.Fatalf("pc %#x: got %+v, want %+v", pc, got, fn)
					}
					inlined += len(got) - 1
					last := got[len(got)-1]
					if line <= 0 {
						file, line = "", 0
					}
					if elide(last.Func) != clean(elide(fn.Name)) || got[0].File != file || got[0].Line != line {
						t.Errorf("pc %#x: got %+v, want %s, %s:%d", pc, got, fn.Name, file, line)
					}
					if entry, ok := s.Entry(pc); !ok || entry != fn.Entry {
						t.Errorf("pc %#x: Entry = %#x, %t, want %#x", pc, entry, ok, fn.Entry)
					}
				}
				if inlined < 100 {
					t.Errorf("%d inlined calls", inlined)
				}
			})
		}
	}
}

// TestModuleSearch finds moduledata without its section, which is new in Go 1.26, and nothing else.
func TestModuleSearch(t *testing.T) {
	exe := build(t, "symbols", testprog.Goroot(t), "-s -w")
	s, img := fileSymbols(t, exe)
	sec, mod := s.trees.addr, img.Section(".go.module")
	if mod == nil || s.Inlining() != nil {
		t.Fatalf("no section .go.module, or %v", s.Inlining())
	}
	m := module{img: img, s: img.Space(), tab: s.table.table, addr: sec, start: s.start, end: s.end, text: s.table.base}
	places, err := m.search()
	if err != nil || !slices.Contains(places, mod.Addr) {
		t.Fatalf("search = %#x, %v, want %#x", places, err, mod.Addr)
	}
	for _, addr := range places {
		if gofunc, err := m.verify(addr); (err == nil) != (addr == mod.Addr) || err == nil && gofunc != s.trees.gofunc {
			t.Errorf("verify(%#x) = %#x, %v", addr, gofunc, err)
		}
	}
	// With one wrong word it is rejected: there are no inlined calls rather than wrong ones.
	for _, word := range []int64{modTab + 1, modMinPC, modMaxPC, modNames + 3*5 + 1, modNames + 3*3} {
		forged := testprog.Copy(t, exe, func(f *os.File) {
			testprog.Overwrite(t, f, ".go.module", 8*word, []byte{0xff, 0xff})
		})
		s, _ := fileSymbols(t, forged)
		if s.Inlining() == nil {
			t.Errorf("word %d forged: accepted", word)
		}
		start, _ := s.Text()
		if got := s.Frames(start); len(got) != 1 {
			t.Errorf("word %d forged: %+v", word, got)
		}
	}
}

// TestSymbolsAfterExit: since Go 1.18 look-ups need only the file, also for a PIE whose process has
// ended.
func TestSymbolsAfterExit(t *testing.T) {
	prog := startProgram(t, build(t, "symbols", testprog.Goroot(t), "", "-buildmode=pie"))
	s := openProcess(t, prog.pid)
	prog.stdin.Close()
	if _, err := prog.lines.ReadBytes('\n'); err != io.EOF {
		t.Fatal(err)
	}
	compareStacks(t, s, prog.stacks)
}

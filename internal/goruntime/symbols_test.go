package goruntime

import (
	"bufio"
	"debug/gosym"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A toldFrame is a frame as testdata/symbols tells it.
type toldFrame struct {
	PC, Entry  uint64
	Func, File string
	Line       int
	Inlined    bool
}

func (f toldFrame) frame() Frame {
	if f.File == "?" && f.Line == 0 { // as the runtime says that it does not know
		f.File = ""
	}
	return Frame{Func: clean(f.Func), File: f.File, Line: f.Line} // the runtime has names of more than 1 KiB
}

// A teller is a running testdata/symbols.
type teller struct {
	pid    int
	stacks [][]toldFrame
	stdin  io.WriteCloser
	lines  *bufio.Reader
}

// buildSymbols builds testdata/symbols as goBuild builds testdata/account.
func buildSymbols(t testing.TB, goroot, ldflags string, args ...string) string {
	t.Helper()
	return buildProgram(t, "symbols", goroot, ldflags, args...)
}

func buildProgram(t testing.TB, name, goroot, ldflags string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/"+name)); err != nil {
		t.Fatal(err)
	}
	args = append(append([]string{"build", "-o", name, "-ldflags=" + ldflags}, args...), ".")
	cmd := exec.Command(filepath.Join(goroot, "bin", "go"), args...)
	cmd.Dir, cmd.Env = dir, goEnv(goroot)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, msg)
	}
	return filepath.Join(dir, name)
}

func startTeller(t *testing.T, exe string) *teller {
	t.Helper()
	proc, stdin, stdout := startPiped(t, exe)
	told := &teller{pid: proc.Pid, stdin: stdin, lines: bufio.NewReader(stdout)}
	told.read(t, &told.stacks)
	return told
}

func (t *teller) read(tb testing.TB, v any) {
	tb.Helper()
	line, err := t.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// frames asks for the frames of a program counter.
func (t *teller) frames(tb testing.TB, pc uint64) (frames []toldFrame) {
	tb.Helper()
	if _, err := fmt.Fprintf(t.stdin, "%x\n", pc); err != nil {
		tb.Fatal(err)
	}
	t.read(tb, &frames)
	return frames
}

// processSymbols opens the symbols of a process's executable.
func processSymbols(t *testing.T, pid int) *Symbols {
	t.Helper()
	p, err := openProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]*os.File)
	for _, name := range []string{"exe", "mem"} {
		if files[name], err = p.open(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		p.close()
		files["exe"].Close()
		files["mem"].Close()
	})
	img, err := fileImage(files["exe"])
	if err != nil {
		t.Fatal(err)
	}
	bias, err := p.bias(img)
	if err != nil {
		t.Fatal(err)
	}
	s := fileSpace(img)
	if bias != 0 {
		s = memorySpace(files["mem"], bias)
	}
	symbols, err := openSymbols(img, s, bias)
	if err != nil {
		t.Fatal(err)
	}
	return symbols
}

// TestSymbols compares frame by frame what Symbols reads from outside with what the runtime of the program says.
func TestSymbols(t *testing.T) {
	for _, goroot := range goroots(t) {
		for _, v := range variants {
			if v.race {
				continue // adds nothing for pclntab
			}
			t.Run(filepath.Base(goroot)+"/"+v.name, func(t *testing.T) {
				told := startTeller(t, buildSymbols(t, goroot, v.ldflags, v.args...))
				s := processSymbols(t, told.pid)
				if err := s.Inlining(); err != nil {
					t.Error("inlined calls are not known:", err)
				}
				compareStacks(t, s, told.stacks)
				comparePCs(t, s, told)
			})
		}
	}
}

// compareStacks looks every program counter of the stacks up: those of inlined calls, which the runtime makes up, too.
func compareStacks(t *testing.T, s *Symbols, stacks [][]toldFrame) {
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
			// The runtime leaves functions out of its stacks that the compiler made to wrap others.
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

// comparePCs asks the program about many of its program counters, and some that are none.
func comparePCs(t *testing.T, s *Symbols, told *teller) {
	t.Helper()
	const count, beyond = 3000, 4096
	start, end := s.Text()
	rnd := rand.New(rand.NewPCG(1, 2))
	compared, inlined := 0, 0
	for range count {
		pc := start - beyond + rnd.Uint64N(end-start+2*beyond)
		got := s.Frames(pc)
		if len(got) > 0 && got[0].Line == 0 && s.table.units == 0 {
			continue // between two functions, where the runtime, until Go 1.15, takes its own table for invalid and throws
		}
		want := told.frames(t, pc)
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
		// Before Go 1.23 the runtime tells the innermost call of a single program counter only: ask for each.
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
				compareFrames(t, s, pc, got[i+1:], told.frames(t, next+s.bias))
			}
		}
	}
	if compared < count/2 || inlined < count/20 {
		t.Errorf("%d program counters compared, %d inlined calls", compared, inlined)
	}
	t.Logf("%d program counters, %d inlined calls in %#x-%#x", compared, inlined, start, end)
}

func compareFrames(t *testing.T, s *Symbols, pc uint64, got []Frame, told []toldFrame) {
	t.Helper()
	var want []Frame
	for i, f := range told {
		if f.Func == "" && i < len(got) {
			f.Func = got[i].Func // the runtime does not name the function whose name is the first in the table
		}
		if s.table.layout.startLine {
			f.Func = elide(f.Func) // Go 1.20 has the same table as Go 1.21, but leaves "[2]" in "type..eq.[2]main.T"
		}
		want = append(want, f.frame())
	}
	last := told[len(told)-1]
	if len(got) < len(want) || !last.Inlined && len(got) != len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("pc %#x: got %+v, want %+v", pc, got, told)
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
func fileSymbols(t *testing.T, exe string) (*Symbols, *image) {
	t.Helper()
	f, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	img, err := fileImage(f)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openSymbols(img, fileSpace(img), 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, img
}

// On the other architecture, Go's own reader tells where functions and lines are; it knows nothing of inlined calls.
func TestSymbolsOtherArchitectures(t *testing.T) {
	for _, goroot := range goroots(t) {
		for _, arch := range []string{"amd64", "arm64"} {
			t.Run(filepath.Base(goroot)+"/"+arch, func(t *testing.T) {
				t.Setenv("GOARCH", arch)
				s, img := fileSymbols(t, buildSymbols(t, goroot, "-s -w"))
				sec, err := pclntabSection(img)
				if err != nil {
					t.Fatal(err)
				}
				data := make([]byte, sec.size)
				if _, err := img.contents(sec).ReadAt(data, 0); err != nil {
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

// moduledata is found without the section that tells its place since Go 1.26, and only that.
func TestModuleSearch(t *testing.T) {
	t.Setenv("PINWATCH_GOROOTS", "")
	exe := buildSymbols(t, goroots(t)[0], "-s -w")
	s, img := fileSymbols(t, exe)
	sec, mod := s.trees.addr, img.section(".go.module")
	if mod == nil || s.Inlining() != nil {
		t.Fatalf("no section .go.module, or %v", s.Inlining())
	}
	m := module{img: img, s: fileSpace(img), tab: s.table.pclntab, addr: sec, start: s.start, end: s.end, text: s.table.base}
	places, err := m.search()
	if err != nil || !slices.Contains(places, mod.addr) {
		t.Fatalf("search = %#x, %v, want %#x", places, err, mod.addr)
	}
	for _, addr := range places {
		if gofunc, err := m.verify(addr); (err == nil) != (addr == mod.addr) || err == nil && gofunc != s.trees.gofunc {
			t.Errorf("verify(%#x) = %#x, %v", addr, gofunc, err)
		}
	}
	// Whatever word of it is another one, it is not believed: with no inlined calls rather than wrong ones.
	for _, word := range []int64{modTab + 1, modMinPC, modMaxPC, modNames + 3*5 + 1, modNames + 3*3} {
		forged := copyFile(t, exe, func(f *os.File) { overwrite(t, f, ".go.module", 8*word, []byte{0xff, 0xff}) })
		s, _ := fileSymbols(t, forged)
		if s.Inlining() == nil {
			t.Errorf("word %d forged: believed", word)
		}
		start, _ := s.Text()
		if got := s.Frames(start); len(got) != 1 {
			t.Errorf("word %d forged: %+v", word, got)
		}
	}
}

// Since Go 1.18 the file tells all that look-ups need, also of a PIE whose process has ended.
func TestSymbolsAfterExit(t *testing.T) {
	t.Setenv("PINWATCH_GOROOTS", "")
	told := startTeller(t, buildSymbols(t, goroots(t)[0], "", "-buildmode=pie"))
	s := processSymbols(t, told.pid)
	told.stdin.Close()
	if _, err := told.lines.ReadBytes('\n'); err != io.EOF {
		t.Fatal(err)
	}
	compareStacks(t, s, told.stacks)
}

package goruntime

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// checkHidden compares what is found in a program without symbols and headers with its account.
func checkHidden(t *testing.T, r *Runtime, want account) {
	t.Helper()
	checkThread(t, r, want)
	if r.GoVersion != want.Version || r.AsyncPreempt != want.AsyncPreempt || r.LockOSThread != want.LockOSThread ||
		r.Sysmon == 0 || r.TemplateThread == 0 || r.CGO != want.CGO || r.Unknown["CGO"] != nil {
		t.Errorf("got %+v, want %+v", r.Info, want)
	}
	symbols, err := r.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	if name := symbols.EntryName(want.Hold); name != "main.hold" {
		t.Errorf("the function at %#x is %q", want.Hold, name)
	}
}

// TestReadMainThreadEnded reads a process through the threads that it still has.
func TestReadMainThreadEnded(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, v := range []testprog.Variant{{Name: "plain"}, {Name: "pie", Args: []string{"-buildmode=pie"}}} {
			t.Run(filepath.Base(goroot)+"/"+v.Name, func(t *testing.T) { checkMainThreadEnded(t, goroot, v) })
		}
	}
}

func checkMainThreadEnded(t *testing.T, goroot string, v testprog.Variant) {
	exe := goBuild(t, goroot, "", v.Args...)
	proc, want := startAccount(t, exe, "end the main thread")
	for {
		status, err := procfs.Process(proc.Pid).Status()
		if err != nil {
			t.Fatal(err)
		}
		if status.State == 'Z' {
			break
		}
		time.Sleep(time.Millisecond)
	}
	r := mustOpen(t, proc.Pid, Options{})
	checkThread(t, r, want)
	checkAddresses(t, &r.Info, want)
	if r.Exe != exe || r.GoVersion != want.Version || r.GOMAXPROCS != want.GOMAXPROCS {
		t.Errorf("got %+v", r.Info)
	}
	if name, err := procfs.Process(proc.Pid).Exe(); err != nil || name != exe {
		t.Errorf("the executable is %q, %v", name, err)
	}
	if mapped, err := r.process.mappings(); err != nil || len(mapped) == 0 || mapped[0].Path != exe {
		t.Errorf("mapped: %+v, %v", mapped, err)
	}
}

// TestThreadEndsWhileRead: what was read of a thread that has ended meanwhile is read again of
// another.
func TestThreadEndsWhileRead(t *testing.T) {
	proc, _ := startAccount(t, goBuild(t, testprog.Goroot(t), ""), "end the main thread")
	p, err := openProcess(proc.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ended := exec.Command("/bin/sleep", "1000")
	if err := ended.Start(); err != nil {
		t.Fatal(err)
	}
	if p.thread, err = os.Open(string(procfs.Process(ended.Process.Pid))); err != nil {
		t.Fatal(err)
	}
	_ = ended.Process.Kill()
	_ = ended.Wait()
	reads := 0
	if err := p.through(func(int) error { reads++; return nil }); err != nil || reads != 2 {
		t.Errorf("%d reads, %v", reads, err)
	}
}

// pack returns a program that maps exe into anonymous memory and runs it there.
func pack(t *testing.T, exe string) string {
	t.Helper()
	packed := filepath.Join(t.TempDir(), "packed")
	// The address is none that Go's or GNU's linker uses.
	cmd := exec.Command("gcc", "-static", "-Wl,-Ttext-segment=0x10000000", "-o", packed, "testdata/packed/stub.c")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, msg)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(packed, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(binary.LittleEndian.AppendUint64(program, uint64(len(program)))); err != nil {
		t.Fatal(err)
	}
	return packed
}

// TestReadPacked reads programs of every release that lie only in anonymous memory.
func TestReadPacked(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, v := range testprog.Variants {
			if v.PIE || !v.Static {
				continue
			}
			t.Run(filepath.Base(goroot)+"/"+v.Name, func(t *testing.T) {
				exe := pack(t, goBuild(t, goroot, v.LDFlags, v.Args...))
				proc, want := startAccount(t, exe)
				r := mustOpen(t, proc.Pid, Options{})
				checkHidden(t, r, want)
				if !r.InMemory || r.Module != "" || r.Exe != exe || r.OffsetsFrom != OffsetsTable || !r.OffsetsProved ||
					r.Unknown["PIE"] == nil || r.Unknown["Stripped"] == nil {
					t.Errorf("got %+v", r.Info)
				}
				if _, _, err := r.CodePlace(r.LockOSThread); err == nil {
					t.Error("a breakpoint has a place")
				}
			})
		}
	}
}

// TestSegments: what is searched in memory is bounded, in however many pieces.
func TestSegments(t *testing.T) {
	piece := func(flags elf.ProgFlag, size uint64) elf.Prog64 { return elf.Prog64{Flags: uint32(flags), Memsz: size} }
	left := uint64(100)
	if got := segments([]elf.Prog64{piece(elf.PF_R|elf.PF_W, 80)}, &left); got != nil || left != 100 {
		t.Errorf("no code: %+v, %d left", got, left)
	}
	for _, want := range [][2]uint64{{30, 40}, {30, 0}, {0, 0}} {
		got := segments([]elf.Prog64{piece(elf.PF_R|elf.PF_X, 30), piece(elf.PF_R, 40)}, &left)
		if got[0].Filesz != want[0] || got[0].Memsz != want[0] || got[1].Filesz != want[1] {
			t.Errorf("got %+v, want sizes %d", got, want)
		}
	}
}

// noSectionHeaders copies a program without its section headers.
func noSectionHeaders(t *testing.T, exe string) string {
	return testprog.Copy(t, exe, func(f *os.File) {
		zero := make([]byte, 8)
		_, _ = f.WriteAt(zero, 0x28)     // e_shoff
		_, _ = f.WriteAt(zero[:4], 0x3c) // e_shnum, e_shstrndx
	})
}

// TestReadNoSectionHeaders: without section headers everything is found that a stripped program
// has.
func TestReadNoSectionHeaders(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, v := range testprog.Variants {
			if v.LDFlags == "" || v.Race {
				continue
			}
			t.Run(filepath.Base(goroot)+"/"+v.Name, func(t *testing.T) {
				exe := noSectionHeaders(t, goBuild(t, goroot, v.LDFlags, v.Args...))
				proc, want := startAccount(t, exe)
				r := mustOpen(t, proc.Pid, Options{})
				checkHidden(t, r, want)
				if r.InMemory || r.Module != exe || !r.Stripped {
					t.Errorf("got %+v", r.Info)
				}
			})
		}
	}
}

// TestReadNoRelease: the release of a program that hides it is unknown, or the one that was given.
func TestReadNoRelease(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		stripped := goBuild(t, goroot, "-s -w")
		_, real := startAccount(t, stripped)
		release, ok := offsets.ParseRelease(real.Version)
		if !ok {
			t.Fatal(real.Version)
		}
		for name, edit := range map[string]func(f *os.File){
			"no version": func(f *os.File) { overwriteAll(t, f, real.Version, strings.Repeat("x", len(real.Version))) },
			"no magic":   func(f *os.File) { testprog.Overwrite(t, f, ".go.buildinfo", 0, make([]byte, 14)) },
		} {
			t.Run(filepath.Base(goroot)+"/"+name, func(t *testing.T) {
				proc, want := startAccount(t, testprog.Copy(t, stripped, edit))
				r := mustOpen(t, proc.Pid, Options{})
				if err := r.Unknown["Offsets"]; r.GoVersion != "" || r.Unknown["GoVersion"] == nil || !errors.Is(err, ErrHidden) ||
					errors.Is(err, ErrNotGo) || !strings.HasPrefix(err.Error(), "packed or obfuscated: its ") ||
					!strings.Contains(err.Error(), fmt.Sprintf("go1.%d", release.Minor)) ||
					!strings.HasSuffix(err.Error(), "if you know which it is, add --go-version go1.N.P") {
					t.Errorf("got %q, %v", r.GoVersion, err)
				}
				if r.AsyncPreempt != want.AsyncPreempt || r.GSlot == nil {
					t.Errorf("got %+v", r.Info)
				}
				r = mustOpen(t, proc.Pid, Options{GoVersion: real.Version})
				checkThread(t, r, want)
				if r.GoVersion != real.Version || !r.GoVersionGiven || r.OffsetsFrom != OffsetsTable || r.OffsetsProved {
					t.Errorf("got %+v", r.Info)
				}
				checkOtherReleases(t, proc.Pid, release)
			})
		}
		proc, _ := startAccount(t, stripped)
		var refused *ReleaseError
		for given, why := range map[string]string{
			"go1.9.1": "the program names its release, " + real.Version,
			"1.26.8":  "not a release of Go",
		} {
			if _, err := Open(proc.Pid, Options{GoVersion: given}); !errors.As(err, &refused) || refused.Why != why {
				t.Errorf("%s: %v", given, err)
			}
		}
		if r := mustOpen(t, proc.Pid, Options{GoVersion: real.Version}); r.GoVersionGiven || !r.OffsetsProved {
			t.Errorf("its own release: %+v", r.Info)
		}
	}
}

// TestReadNoReleaseOffsets: a user's file gives the offsets of a program that hides its release if
// it has one row.
func TestReadNoReleaseOffsets(t *testing.T) {
	stripped := goBuild(t, testprog.Goroot(t), "-s -w")
	_, real := startAccount(t, stripped)
	proc, want := startAccount(t, testprog.Copy(t, stripped, func(f *os.File) {
		overwriteAll(t, f, real.Version, strings.Repeat("x", len(real.Version)))
	}))
	builtin, err := offsets.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	release, _ := offsets.ParseRelease(real.Version)
	row := offsets.Row{From: release, Arch: runtime.GOARCH, Offsets: *builtin.Find(release, runtime.GOARCH)}
	file := filepath.Join(t.TempDir(), "offsets")
	if err := os.WriteFile(file, []byte(offsets.Table{row}.Text()), 0o644); err != nil {
		t.Fatal(err)
	}
	r := mustOpen(t, proc.Pid, Options{Offsets: file})
	checkThread(t, r, want)
	if r.OffsetsFrom != OffsetsFile || r.OffsetsProved || r.GoVersion != "" {
		t.Errorf("got %+v", r.Info)
	}
	if err := os.WriteFile(file, []byte(builtin.Text()), 0o644); err != nil {
		t.Fatal(err)
	}
	var table *TableError
	if _, err := Open(proc.Pid, Options{Offsets: file}); !errors.As(err, &table) ||
		!strings.Contains(err.Error(), "not exactly one row") {
		t.Errorf("many rows: %v", err)
	}
	if r := mustOpen(t, proc.Pid, Options{Offsets: file, GoVersion: real.Version}); r.OffsetsFrom != OffsetsFile {
		t.Errorf("many rows and the release: %+v", r.Info)
	}
}

// checkOtherReleases opens a process of a hidden release as one of each release in the table. It is
// refused where its locks would be read at other places.
func checkOtherReleases(t *testing.T, pid int, real offsets.Release) {
	t.Helper()
	builtin, err := offsets.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	locks := func(o *Offsets) [4]uint32 { return [4]uint32{o.GM, o.GLockedM, o.MLockedG, o.MLockedExt} }
	want := locks(builtin.Find(real, runtime.GOARCH))
	refused := 0
	for i := range builtin {
		row := &builtin[i]
		if row.Arch != runtime.GOARCH {
			continue
		}
		r, err := Open(pid, Options{GoVersion: row.From.String()})
		var wrong *ReleaseError
		switch {
		case errors.As(err, &wrong):
			refused++
			if row.From.Minor == real.Minor && locks(&row.Offsets) == want {
				t.Errorf("refused as %s: %v", row.From, err)
			}
		case err != nil:
			t.Error(err)
		default:
			if locks(r.Offsets) != want {
				t.Errorf("taken as %s: %+v", row.From, *r.Offsets)
			}
			r.Close()
		}
	}
	if refused == 0 {
		t.Error("no release was refused")
	}
}

// overwriteAll replaces each occurrence of a text in a file by one of the same length.
func overwriteAll(t *testing.T, f *os.File, from, to string) {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.ReplaceAll(b, []byte(from), []byte(to)), 0); err != nil {
		t.Fatal(err)
	}
}

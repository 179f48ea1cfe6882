package goruntime

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// mustOpen opens a process until the test ends.
func mustOpen(t *testing.T, pid int, o Options) *Runtime {
	t.Helper()
	r, err := Open(pid, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestOpenNoDWARF(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		proc, want := startAccount(t, goBuild(t, goroot, ""))
		with, without := mustOpen(t, proc.Pid, Options{}), mustOpen(t, proc.Pid, Options{NoDWARF: true})
		if with.OffsetsFrom != OffsetsDWARF || without.OffsetsFrom != OffsetsTable || *with.Offsets != *without.Offsets {
			t.Errorf("%s: %s %+v, %s %+v", want.Version, with.OffsetsFrom, with.Offsets, without.OffsetsFrom, without.Offsets)
		}
	}
}

// TestOpenForgedDWARF: forged DWARF counts as none.
func TestOpenForgedDWARF(t *testing.T) {
	exe := testprog.Copy(t, goBuild(t, testprog.Goroot(t), "-compressdwarf=false"), func(f *os.File) {
		testprog.Overwrite(t, f, ".debug_info", 0, bytes.Repeat([]byte{0xff}, 64))
	})
	proc, want := startAccount(t, exe)
	r := mustOpen(t, proc.Pid, Options{})
	if r.OffsetsFrom != OffsetsTable {
		t.Errorf("offsets from %s, %v", r.OffsetsFrom, r.Unknown["Offsets"])
	}
	checkThread(t, r, want)
}

// renamed copies a program that claims to be made by another release, whose name must have the same
// length.
func renamed(t *testing.T, exe, from, to string) string {
	t.Helper()
	if len(from) != len(to) {
		t.Fatalf("%q and %q differ in length", from, to)
	}
	return testprog.Copy(t, exe, func(f *os.File) {
		testprog.Overwrite(t, f, ".go.buildinfo", 33, []byte(to)) // after the header and the length of the string
	})
}

// future returns a release that no table has, of the length of version.
func future(version string) string { return "go1.9" + strings.Repeat("9", len(version)-len("go1.9")) }

func TestOpenUnknownRelease(t *testing.T) {
	goroot := testprog.Goroot(t)
	stripped := goBuild(t, goroot, "-s -w")
	_, want := startAccount(t, stripped)
	version := future(want.Version[:len("go1.26")]) + "-vendor"[:len(want.Version)-len("go1.26")]
	release, ok := offsets.ParseRelease(version)
	if !ok {
		t.Fatalf("%q is not a release", version)
	}

	proc, want := startAccount(t, renamed(t, stripped, want.Version, version))
	r := mustOpen(t, proc.Pid, Options{})
	var unknown *UnknownOffsetsError
	const reason = " (the program has no DWARF): kernel side only; give them with --offsets FILE"
	if err := r.Unknown["Offsets"]; !errors.As(err, &unknown) || unknown.GoVersion != version ||
		!errors.Is(err, objfile.ErrNoDWARF) || r.Offsets != nil || r.OffsetsFrom != OffsetsNone ||
		err.Error() != "no offsets known for "+version+" on "+r.Arch+reason {
		t.Errorf("got %s, %v", r.OffsetsFrom, err)
	}
	if r.GSlot == nil || r.AsyncPreempt != want.AsyncPreempt {
		t.Errorf("the rest is known, but got %+v", r.Info)
	}

	// The user's file also has the rows of other releases.
	builtin, err := offsets.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	real, _ := offsets.ParseRelease(want.Version)
	users := append(slices.Clone(builtin), offsets.Row{From: release, Arch: r.Arch, Offsets: *builtin.Find(real, r.Arch)})
	file := filepath.Join(t.TempDir(), "offsets")
	if err := os.WriteFile(file, []byte(users.Text()), 0o644); err != nil {
		t.Fatal(err)
	}
	given := mustOpen(t, proc.Pid, Options{Offsets: file})
	if given.OffsetsFrom != OffsetsFile {
		t.Errorf("offsets from %s", given.OffsetsFrom)
	}
	checkThread(t, given, want)

	proc, want = startAccount(t, renamed(t, goBuild(t, goroot, ""), want.Version, version))
	r = mustOpen(t, proc.Pid, Options{})
	if r.GoVersion != version || r.OffsetsFrom != OffsetsDWARF {
		t.Errorf("with DWARF: %s, offsets from %s", r.GoVersion, r.OffsetsFrom)
	}
	checkThread(t, r, want)
}

func TestOpenBadOffsets(t *testing.T) {
	proc, want := startAccount(t, goBuild(t, testprog.Goroot(t), ""))
	builtin, err := offsets.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	other := builtin[:1] // a row of another release
	file := filepath.Join(t.TempDir(), "offsets")
	for text, message := range map[string]string{
		"release\n":  "offsets file " + file + ", line 1: the header has no column arch",
		other.Text(): "offsets file " + file + ": no row for " + want.Version + " on ",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(proc.Pid, Options{Offsets: file})
		var table *TableError
		if !errors.As(err, &table) || !strings.Contains(err.Error(), message) {
			t.Errorf("got %v, want %q", err, message)
		}
	}
}

// TestOpenClose: an open Runtime stays readable when the file is removed, a closed one does not.
func TestOpenClose(t *testing.T) {
	exe := goBuild(t, testprog.Goroot(t), "")
	proc, want := startAccount(t, exe)
	r := mustOpen(t, proc.Pid, Options{})
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	if err := r.unchanged(); err != nil {
		t.Error(err)
	}
	checkThread(t, r, want)
	r.Close()
	if _, err := r.space(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("space after Close: %v", err)
	}
}

// TestLookUp: .symtab and pclntab have the same addresses.
func TestLookUp(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, args := range [][]string{nil, {"-tags=withcgo"}} {
			f, err := os.Open(goBuild(t, goroot, "", args...))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			img, err := objfile.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			syms, err := lookUp(img, img.Space())
			if err != nil {
				t.Fatal(err)
			}
			funcs, err := lookUpFuncs(img, img.Space())
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range slices.Concat(goFunctions, asmFunctions, []string{symText}) {
				if syms[name] != funcs[name] {
					t.Errorf("%s %q: %s at %#x, in pclntab %#x", goroot, args, name, syms[name], funcs[name])
				}
			}
			const padding = 64 // between the last function's last instruction and runtime.etext
			if end, etext := funcs[symEtext], syms[symEtext]; end > etext || etext-end > padding {
				t.Errorf("%s %q: etext at %#x, the last function ends at %#x", goroot, args, etext, end)
			}
		}
	}
}

// FuzzLookUp looks up the symbols of a forged file.
func FuzzLookUp(f *testing.F) {
	f.Add(testprog.Program())
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := objfile.ReadImage(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		_, _ = lookUp(img, img.Space())
		_, _ = lookUpFuncs(img, img.Space())
		biasOf(img, procfs.Mapping{})
	})
}

// The fuzzer starts from a program with a whole table.
func TestForgedLookUp(t *testing.T) {
	data := testprog.Program()
	img, err := objfile.ReadImage(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := lookUpFuncs(img, img.Space())
	if err != nil || addrs[fnMain] != 0x400100 || addrs[fnAsyncPreempt] != 0x400140 || addrs[symEtext] != 0x400180 {
		t.Errorf("got %#x, %v", addrs, err)
	}
}

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
	for _, goroot := range goroots(t) {
		proc, want := startAccount(t, goBuild(t, goroot, ""))
		with, without := mustOpen(t, proc.Pid, Options{}), mustOpen(t, proc.Pid, Options{NoDWARF: true})
		if with.OffsetsFrom != OffsetsDWARF || without.OffsetsFrom != OffsetsTable || *with.Offsets != *without.Offsets {
			t.Errorf("%s: %s %+v, %s %+v", want.Version, with.OffsetsFrom, with.Offsets, without.OffsetsFrom, without.Offsets)
		}
	}
}

// DWARF that can't be believed is as good as none.
func TestOpenForgedDWARF(t *testing.T) {
	exe := copyFile(t, goBuild(t, goroots(t)[0], "-compressdwarf=false"), func(f *os.File) {
		overwrite(t, f, ".debug_info", 0, bytes.Repeat([]byte{0xff}, 64))
	})
	proc, want := startAccount(t, exe)
	r := mustOpen(t, proc.Pid, Options{})
	if r.OffsetsFrom != OffsetsTable {
		t.Errorf("offsets from %s, %v", r.OffsetsFrom, r.Unknown["Offsets"])
	}
	checkThread(t, r, want)
}

// renamed copies a program that claims to be made by another release, whose name must have the same length.
func renamed(t *testing.T, exe, from, to string) string {
	t.Helper()
	if len(from) != len(to) {
		t.Fatalf("%q and %q differ in length", from, to)
	}
	return copyFile(t, exe, func(f *os.File) {
		overwrite(t, f, ".go.buildinfo", 33, []byte(to)) // behind the header and the string's length
	})
}

// future is a release that no table has, as long as version.
func future(version string) string { return "go1.9" + strings.Repeat("9", len(version)-len("go1.9")) }

func TestOpenUnknownRelease(t *testing.T) {
	goroot := goroots(t)[0]
	stripped := goBuild(t, goroot, "-s -w")
	_, want := startAccount(t, stripped)
	version := future(want.Version[:len("go1.26")]) + "-vendor"[:len(want.Version)-len("go1.26")]
	release, ok := ParseRelease(version)
	if !ok {
		t.Fatalf("%q is no release", version)
	}

	proc, want := startAccount(t, renamed(t, stripped, want.Version, version))
	r := mustOpen(t, proc.Pid, Options{})
	var unknown *UnknownOffsetsError
	if err := r.Unknown["Offsets"]; !errors.As(err, &unknown) || unknown.GoVersion != version || !errors.Is(err, errNoDWARF) || r.Offsets != nil || r.OffsetsFrom != OffsetsNone ||
		err.Error() != "no offsets known for "+version+" on "+r.Arch+" (the program has no DWARF): kernel side only; give them with --offsets FILE" {
		t.Errorf("got %s, %v", r.OffsetsFrom, err)
	}
	if r.GSlot == nil || r.AsyncPreempt != want.AsyncPreempt {
		t.Errorf("the rest is known, but got %+v", r.Info)
	}

	// The user's file has the rows of other releases too.
	builtin, err := BuiltinTable()
	if err != nil {
		t.Fatal(err)
	}
	real, _ := ParseRelease(want.Version)
	users := append(slices.Clone(builtin), Row{From: release, Arch: r.Arch, Offsets: *builtin.Find(real, r.Arch)})
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
	proc, want := startAccount(t, goBuild(t, goroots(t)[0], ""))
	file := filepath.Join(t.TempDir(), "offsets")
	for text, message := range map[string]string{
		"release\n": "offsets file " + file + ", line 1: the header has no column arch",
		Table{{From: Release{12, 0}, Arch: "amd64", Offsets: sampleOffsets}}.Text(): "offsets file " + file + ": no row for " + want.Version + " on ",
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

// What is held open stays readable when the file is gone; after Close nothing is.
func TestOpenClose(t *testing.T) {
	exe := goBuild(t, goroots(t)[0], "")
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

// Symbols and pclntab tell the same.
func TestLookUp(t *testing.T) {
	for _, goroot := range goroots(t) {
		for _, args := range [][]string{nil, {"-tags=withcgo"}} {
			f, err := os.Open(goBuild(t, goroot, "", args...))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			img, err := fileImage(f)
			if err != nil {
				t.Fatal(err)
			}
			syms, err := lookUp(img, fileSpace(img))
			if err != nil {
				t.Fatal(err)
			}
			funcs, err := lookUpFuncs(img, fileSpace(img))
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

package goruntime

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// TestRead compares the result of Open with the account of each program. PINWATCH_GOROOTS, a list
// like PATH, selects other releases of Go than the installed one.
func TestRead(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, v := range testprog.Variants {
			t.Run(filepath.Base(goroot)+"/"+v.Name, func(t *testing.T) {
				exe := goBuild(t, goroot, v.LDFlags, v.Args...)
				proc, want := startAccount(t, exe)
				r, err := Open(proc.Pid, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				info := &r.Info
				t.Logf("%+v", *info)
				checkThread(t, r, want)
				checkOffsets(t, info)
				checkAddresses(t, info, want)
				if info.GoVersion != want.Version {
					t.Errorf("GoVersion = %q, want %q", info.GoVersion, want.Version)
				}
				if info.AsyncPreempt != want.AsyncPreempt {
					t.Errorf("AsyncPreempt = %#x, want %#x", info.AsyncPreempt, want.AsyncPreempt)
				}
				gomaxprocs := want.GOMAXPROCS
				if v.Stripped {
					gomaxprocs = 0
				}
				if info.GOMAXPROCS != gomaxprocs {
					t.Errorf("GOMAXPROCS = %d, want %d", info.GOMAXPROCS, gomaxprocs)
				}
				if (info.GOMAXPROCS == 0) != (info.Unknown["GOMAXPROCS"] != nil) {
					t.Errorf("GOMAXPROCS = %d, unknown because %v", info.GOMAXPROCS, info.Unknown["GOMAXPROCS"])
				}
				if info.CGO != want.CGO || info.Race != v.Race || info.PIE != v.PIE || info.Static != v.Static ||
					info.Stripped != v.Stripped {
					t.Errorf("got %+v, want %+v", *info, v)
				}
				if info.Exe != exe || info.Deleted || info.Module != exe || info.Arch != runtime.GOARCH {
					t.Errorf("got %q, deleted %t, module %q, arch %q; want %q", info.Exe, info.Deleted, info.Module, info.Arch, exe)
				}
				checkBuildInfo(t, exe, info)
				checkBias(t, exe, info, want)
				checkNotBegun(t, proc.Pid, r, want)
			})
		}
	}
}

// checkNotBegun compares with what is known of a process that has run nothing yet: the file's
// relocations give what is relocated in memory.
func checkNotBegun(t *testing.T, pid int, r *Runtime, want account) {
	t.Helper()
	fresh, err := Open(pid, Options{NotBegun: true})
	if err != nil {
		t.Error(err)
		return
	}
	defer fresh.Close()
	if !reflect.DeepEqual(fresh.Info, r.Info) {
		t.Errorf("not begun: %+v, want %+v", fresh.Info, r.Info)
	}
	for _, r := range []*Runtime{r, fresh} {
		symbols, err := r.Symbols()
		if err != nil {
			t.Error(err)
		} else if name := symbols.EntryName(want.Main); name != "main.main" {
			t.Errorf("%#x is called %q", want.Main, name)
		}
	}
}

// checkOffsets compares the offsets, which are from DWARF unless the program is stripped, with the
// table.
func checkOffsets(t *testing.T, info *Info) {
	t.Helper()
	from := OffsetsDWARF
	if info.Stripped {
		from = OffsetsTable
	}
	if info.OffsetsFrom != from {
		t.Errorf("OffsetsFrom = %q, want %q", info.OffsetsFrom, from)
	}
	builtin, err := offsets.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	release, ok := offsets.ParseRelease(info.GoVersion)
	if want := builtin.Find(release, info.Arch); !ok || want == nil || *info.Offsets != *want {
		t.Errorf("Offsets = %+v, the table has %+v", info.Offsets, want)
	}
}

// checkAddresses compares addresses with the program's account. Stripped programs have none of
// variables.
func checkAddresses(t *testing.T, info *Info, want account) {
	t.Helper()
	if info.LockOSThread != want.LockOSThread {
		t.Errorf("LockOSThread = %#x, want %#x", info.LockOSThread, want.LockOSThread)
	}
	if info.Stripped {
		want.M0, want.AllM = 0, 0
	}
	if info.M0 != want.M0 || info.AllM != want.AllM || (info.M0 == 0) != (info.Unknown["M0"] != nil) ||
		(info.AllM == 0) != (info.Unknown["AllM"] != nil) {
		t.Errorf("M0 = %#x, want %#x; AllM = %#x, want %#x; unknown: %v",
			info.M0, want.M0, info.AllM, want.AllM, info.Unknown)
	}
	for _, addr := range []uint64{want.Main, want.LockOSThread, info.Sysmon, info.TemplateThread, info.AsyncPreempt} {
		if (addr != 0 || want.AsyncPreempt != 0) && (addr < info.TextStart || addr >= info.TextEnd) {
			t.Errorf("%#x is not in the text, %#x to %#x", addr, info.TextStart, info.TextEnd)
		}
	}
}

// checkBuildInfo compares with debug/buildinfo. It finds no version in an externally linked PIE
// from before Go 1.18, whose pointers only a relocation sets.
func checkBuildInfo(t *testing.T, exe string, info *Info) {
	t.Helper()
	build, err := buildinfo.ReadFile(exe)
	if err != nil {
		if !info.PIE {
			t.Error(err)
		}
		return
	}
	if info.GoVersion != build.GoVersion || info.Path != build.Path || info.BuildMode != setting(build, "-buildmode") {
		t.Errorf("got %q, %q, %q; debug/buildinfo has %v", info.GoVersion, info.Path, info.BuildMode, build)
	}
}

// checkBias compares LoadBias with the address of main in the program's account.
func checkBias(t *testing.T, exe string, info *Info, want account) {
	t.Helper()
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if info.Stripped {
		if !errors.Is(err, elf.ErrNoSymbols) {
			t.Errorf("stripped, but has %d symbols, %v", len(syms), err)
		}
		return
	}
	for _, s := range syms {
		if s.Name == "main.main" && s.Value+info.LoadBias == want.Main {
			return
		}
	}
	t.Errorf("LoadBias = %#x: no symbol main.main that far below %#x", info.LoadBias, want.Main)
}

func TestReadSharedLibrary(t *testing.T) {
	host := gcc(t)
	for _, goroot := range testprog.Goroots(t) {
		for name, ldflags := range map[string]string{"plain": "", "stripped": "-s -w"} {
			t.Run(filepath.Base(goroot)+"/"+name, func(t *testing.T) {
				lib := goBuild(t, goroot, ldflags, "-tags=withcgo", "-buildmode=c-shared")
				proc, want := startAccount(t, host, lib)
				r, err := Open(proc.Pid, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				info := &r.Info
				checkThread(t, r, want)
				checkOffsets(t, info)
				checkAddresses(t, info, want)
				if info.Exe != host || info.Module != lib || info.CGO != want.CGO || !want.CGO ||
					info.AsyncPreempt != want.AsyncPreempt || info.GoVersion != want.Version {
					t.Errorf("got %+v, want %+v", *info, want)
				}
			})
		}
	}
}

func TestReadReplacedExecutable(t *testing.T) {
	exe := goBuild(t, testprog.Goroot(t), "")
	proc, want := startAccount(t, exe)
	for _, replace := range []func() error{
		func() error { return os.Remove(exe) },
		func() error { return os.WriteFile(exe, []byte("#!/bin/sh\n"), 0o755) },
		// A file whose name ends in (deleted) is another file.
		func() error { return os.WriteFile(exe+" (deleted)", nil, 0o755) },
	} {
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		info, err := readInfo(proc.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if info.Exe != exe || !info.Deleted || info.AsyncPreempt != want.AsyncPreempt {
			t.Errorf("got %+v, want %+v", *info, want)
		}
	}
}

func TestReadNameEndsInDeleted(t *testing.T) {
	exe := goBuild(t, testprog.Goroot(t), "")
	name := exe + " (deleted)"
	if err := os.Rename(exe, name); err != nil {
		t.Fatal(err)
	}
	proc, _ := startAccount(t, name)
	if info, err := readInfo(proc.Pid); err != nil || info.Exe != name || info.Deleted {
		t.Errorf("Read = %+v, %v", info, err)
	}
}

// TestReadForgedVersion: a version that could move the cursor of a terminal is none.
func TestReadForgedVersion(t *testing.T) {
	exe := testprog.Copy(t, goBuild(t, testprog.Goroot(t), "-s -w"), func(f *os.File) {
		testprog.Overwrite(t, f, ".go.buildinfo", 33, []byte("\x1b[31mx")) // the version, after the header and its length
	})
	proc, want := startAccount(t, exe)
	info, err := readInfo(proc.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := info.Unknown["GoVersion"]; info.GoVersion != "" || info.AsyncPreempt != want.AsyncPreempt || err == nil ||
		!strings.Contains(err.Error(), `its build info has "\x1b[31mx`) {
		t.Errorf("got %+v", *info)
	}
}

// TestReadForgedPclntab: a forged pclntab gives no functions rather than wrong ones.
func TestReadForgedPclntab(t *testing.T) {
	exe := testprog.Copy(t, goBuild(t, testprog.Goroot(t), "-s -w"), func(f *os.File) {
		// The runtime takes the number of functions from moduledata.
		testprog.Overwrite(t, f, ".gopclntab", 8, binary.LittleEndian.AppendUint64(nil, 1<<40))
	})
	proc, want := startAccount(t, exe)
	info, err := readInfo(proc.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if info.GoVersion != want.Version || info.AsyncPreempt != 0 || info.Unknown["AsyncPreempt"] == nil {
		t.Errorf("got %+v", *info)
	}
}

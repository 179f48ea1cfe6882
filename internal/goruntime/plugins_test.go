package goruntime

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestPlugins: the functions of a plugin have names as soon as it is loaded, and the LockOSThread that
// it calls is known.
func TestPlugins(t *testing.T) {
	testenv.Require(t, testenv.GoCommand, testenv.CCompiler)
	for _, goroot := range testprog.Goroots(t) {
		for _, c := range []struct {
			name, ldflags string
			args          []string
		}{{"plain", "", nil}, {"stripped", "-s -w", nil}, {"host locks", "", []string{"-tags=locks"}},
			{"pie", "", []string{"-buildmode=pie"}}} {
			t.Run(strings.ReplaceAll(goroot, "@", " ")+" "+c.name, func(t *testing.T) {
				plug := testprog.Build(t, "testdata/plug", goroot, c.ldflags, "-buildmode=plugin")
				host := testprog.Build(t, "testdata/plughost", goroot, c.ldflags, c.args...)
				checkPlugin(t, host, plug)
			})
		}
	}
}

func checkPlugin(t *testing.T, host, plug string) {
	proc, stdin, stdout := testprog.StartPiped(t, host, plug)
	r, err := Open(proc.Pid, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	symbols, err := r.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	if list, err := r.Plugins(); err != nil || len(list) != 0 || !r.Info.Plugins {
		t.Fatalf("before: %+v, %v, can load %v", list, err, r.Info.Plugins)
	}
	if _, err := io.WriteString(stdin, "load\n"); err != nil {
		t.Fatal(err)
	}
	var account struct {
		Function    string
		Entry, Lock uint64
	}
	if err := json.NewDecoder(stdout).Decode(&account); err != nil {
		t.Fatal(err)
	}
	if got := symbols.EntryName(account.Entry); got != account.Function {
		t.Errorf("the goroutine began with %q, want %q", got, account.Function)
	}
	if got := symbols.Frames(account.Entry); len(got) != 1 || got[0].Func != account.Function || got[0].Line == 0 {
		t.Errorf("frames %+v, want %s", got, account.Function)
	}
	list, err := r.Plugins()
	if err != nil || len(list) != 1 || list[0].Path != plug || list[0].Err != nil {
		t.Fatalf("plugins %+v, %v", list, err)
	}
	if r.LockOSThread != account.Lock && list[0].LockOSThread != account.Lock {
		t.Errorf("LockOSThread at %#x, of the plugin at %#x; it calls %#x", r.LockOSThread, list[0].LockOSThread,
			account.Lock)
	}
	checkPlace(t, r, account.Lock)
	if others := r.OtherRuntimes(); len(others) != 0 {
		t.Errorf("other runtimes: %q", others)
	}
}

// checkPlace: the code at an address is what the file has at its place.
func checkPlace(t *testing.T, r *Runtime, addr uint64) {
	t.Helper()
	path, offset, err := r.CodePlace(addr)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var memory, file [16]byte
	if _, err := r.mem.ReadAt(memory[:], int64(addr)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(file[:], int64(offset)); err != nil || !bytes.Equal(memory[:], file[:]) {
		t.Errorf("% x in memory, % x in the file, %v", memory, file, err)
	}
}

// TestTwoRuntimes: of two Go libraries in a C program one is read, and the other is named.
func TestTwoRuntimes(t *testing.T) {
	testenv.Require(t, testenv.GoCommand, testenv.CCompiler)
	for _, goroot := range testprog.Goroots(t) {
		t.Run(filepath.Base(goroot), func(t *testing.T) { checkTwoRuntimes(t, goroot) })
	}
}

func checkTwoRuntimes(t *testing.T, goroot string) {
	lib := goBuild(t, goroot, "", "-tags=withcgo", "-buildmode=c-shared")
	second := testprog.Copy(t, lib, func(*os.File) {})
	proc, _ := startAccount(t, gcc(t), lib, second)
	r, err := Open(proc.Pid, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		got := append(r.OtherRuntimes(), r.Module)
		slices.Sort(got)
		if want := slices.Sorted(slices.Values([]string{lib, second})); !slices.Equal(got, want) {
			t.Errorf("read %s, others %q, want %q", r.Module, r.OtherRuntimes(), want)
		}
	}
}

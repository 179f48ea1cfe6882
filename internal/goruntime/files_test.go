package goruntime

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

// TestFiles: a process whose executable was read before is described as without Files, from what is
// kept; another file under the same path is read anew.
func TestFiles(t *testing.T) {
	for _, args := range [][]string{nil, {"-buildmode=pie"}} {
		var files Files
		exe := goBuild(t, testprog.Goroot(t), "", args...)
		for range 2 {
			proc, want := startAccount(t, exe)
			plain, kept := mustOpen(t, proc.Pid, Options{}), mustOpen(t, proc.Pid, Options{Files: &files})
			if !reflect.DeepEqual(plain.Info, kept.Info) {
				t.Errorf("%v: %+v, want %+v", args, kept.Info, plain.Info)
			}
			checkThread(t, kept, want)
		}
		if len(files.known) != 1 {
			t.Fatalf("%v: %d files are kept", args, len(files.known))
		}
		for _, facts := range files.known { // what is kept is what is used
			facts.offsets = &Offsets{GGoid: 1234}
		}
		proc, _ := startAccount(t, exe)
		if r := mustOpen(t, proc.Pid, Options{Files: &files}); r.Offsets.GGoid != 1234 {
			t.Errorf("%v: goid at %d, want the one that is kept", args, r.Offsets.GGoid)
		}
		if err := os.Rename(goBuild(t, testprog.Goroot(t), "-s -w", args...), exe); err != nil {
			t.Fatal(err)
		}
		proc, want := startAccount(t, exe)
		other := mustOpen(t, proc.Pid, Options{Files: &files})
		if other.OffsetsFrom != OffsetsTable || len(files.known) != 2 {
			t.Errorf("%v: the other file's offsets are from %s, and %d files are kept", args, other.OffsetsFrom,
				len(files.known))
		}
		checkThread(t, other, want)
	}
}

// TestFilesWrite: a file that is written to has other facts.
func TestFilesWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before, _ := identify(f)
	if _, err := f.WriteAt([]byte("two"), 0); err != nil {
		t.Fatal(err)
	}
	modified := time.Unix(before.mtime.Unix())
	if err := os.Chtimes(name, modified, modified); err != nil { // as a careful writer does
		t.Fatal(err)
	}
	if after, _ := identify(f); after == before {
		t.Error("a file that was written to counts as the same")
	}
}

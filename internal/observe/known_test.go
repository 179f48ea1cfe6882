package observe

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// keepSelf keeps the test's own program.
func keepSelf(t *testing.T) *goruntime.Kept {
	t.Helper()
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	k, err := goruntime.Keep(f, "/proc/self/exe", goruntime.Options{})
	if err != nil {
		f.Close()
		t.Fatal(err)
	}
	return k
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := procfs.Self.Files()
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// However many programs are executed, as many stay open as are bounded, the last ones, and what a
// member uses.
func TestKnownIsBounded(t *testing.T) {
	before := openFiles(t)
	var k known
	id := func(n int) bpf.PinwatchFileIdentity { return bpf.PinwatchFileIdentity{Ino: uint64(n), CtimeS: 1} }
	var used *knownProgram
	for n := range 2 * mostKnown {
		if !k.claim(id(n)) || k.claim(id(n)) {
			t.Fatal("a file is claimed once")
		}
		if k.take(id(n)) != nil {
			t.Fatal("a program that nobody has read yet")
		}
		var kept *goruntime.Kept
		if n%16 == 0 {
			kept = keepSelf(t)
		}
		k.put(id(n), knownProgram{kept: kept})
		if n == 0 {
			used = k.take(id(n))
		}
	}
	if n := len(k.by); n != mostKnown {
		t.Errorf("%d programs are kept, want %d", n, mostKnown)
	}
	if used == nil || k.take(id(0)) != used {
		t.Error("the program that a member uses is gone")
	}
	if k.take(id(16)) != nil {
		t.Error("the program that was used longest ago is there")
	}
	last := k.take(id(2*mostKnown - 16))
	if last == nil || last.kept.Symbols == nil {
		t.Error("the last program is gone")
	}
	k.put(id(1), knownProgram{kept: keepSelf(t)}) // nobody has claimed it any more
	k.Close()
	if after := openFiles(t); after != before {
		t.Errorf("%d files are open, before %d", after, before)
	}
}

// A file that was not read as it was executed is read again at its next exec.
func TestKnownUnclaim(t *testing.T) {
	var k known
	defer k.Close()
	file := bpf.PinwatchFileIdentity{Ino: 1}
	k.claim(file)
	k.unclaim(file)
	if !k.claim(file) {
		t.Error("nobody reads it any more")
	}
}

// A file is the one that the kernel saw only if each number is the same.
func TestIsStat(t *testing.T) {
	st := unix.Stat_t{Dev: unix.Mkdev(253, 0x1234), Ino: 7, Size: 8, Ctim: unix.Timespec{Sec: 9, Nsec: 10}}
	file := bpf.PinwatchFileIdentity{Dev: 253<<20 | 0x1234, Ino: 7, Size: 8, CtimeS: 9, CtimeNs: 10, Generation: 11}
	if !isStat(&st, &file) {
		t.Error("the same file")
	}
	for i, change := range []func(*unix.Stat_t){
		func(s *unix.Stat_t) { s.Dev = unix.Mkdev(253, 0x1235) }, func(s *unix.Stat_t) { s.Dev = unix.Mkdev(254, 0x1234) },
		func(s *unix.Stat_t) { s.Ino++ }, func(s *unix.Stat_t) { s.Size++ },
		func(s *unix.Stat_t) { s.Ctim.Sec++ }, func(s *unix.Stat_t) { s.Ctim.Nsec++ },
	} {
		other := st
		if change(&other); isStat(&other, &file) {
			t.Errorf("change %d makes another file", i)
		}
	}
}

// Paths by which another file may be found are none.
func TestExecutedPath(t *testing.T) {
	for given, want := range map[string]string{
		"/usr/bin/go": "/usr/bin/go", "/usr//bin/../bin/go": "/usr/bin/go", "./go": "", "go": "", "": "",
		"/proc/self/exe": "", "/dev/fd/3": "",
	} {
		if got := (&executed{Path: given}).path(); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

// A path leads to the file that was executed, or to nothing.
func TestExecutedOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	write := func() {
		t.Helper()
		if err := os.WriteFile(path, []byte("program"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	e := executed{Path: path, File: bpf.PinwatchFileIdentity{Dev: unix.Major(st.Dev)<<20 | unix.Minor(st.Dev), Ino: st.Ino,
		Size: uint64(st.Size), CtimeS: int64(st.Ctim.Sec), CtimeNs: uint32(st.Ctim.Nsec)}}
	f := e.open()
	if f == nil {
		t.Fatal("the file cannot be opened")
	}
	f.Close()
	time.Sleep(ctimeTick)
	write() // at the same place
	if f := e.open(); f != nil {
		f.Close()
		t.Error("a file that was written anew is taken for the old one")
	}
	os.Remove(path)
	if f := e.open(); f != nil {
		f.Close()
		t.Error("opened a file that is gone")
	}
}

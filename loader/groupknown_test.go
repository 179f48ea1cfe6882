package loader

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// execution is one Exec record.
type execution struct {
	events.Executed
	slot  uint32
	known bool
}

// executions runs commands one after the other, and returns the exec of each that it makes by itself.
func (w *watched) executions(commands ...*exec.Cmd) (all []execution) {
	w.t.Helper()
	w.onExec = func(e *events.Event) {
		all = append(all, execution{w.ring.Executed, uint32(e.Args[events.ArgToSlot]), e.Has(events.ExecKnown)})
	}
	defer func() { w.onExec = nil }()
	for _, cmd := range commands {
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatal(cmd, err, string(out))
		}
		w.drain()
	}
	if len(all) != len(commands) {
		w.t.Fatalf("%d execs of %d commands", len(all), len(commands))
	}
	return all
}

// fileOf is a file's identity by stat: all but its generation, which is taken from seen.
func fileOf(t *testing.T, path string, seen bpf.PinwatchFileIdentity) bpf.PinwatchFileIdentity {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return bpf.PinwatchFileIdentity{Ino: st.Ino, Size: uint64(st.Size), CtimeS: int64(st.Ctim.Sec),
		CtimeNs: uint32(st.Ctim.Nsec), Dev: unix.Major(st.Dev)<<20 | unix.Minor(st.Dev), Generation: seen.Generation}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// smallest is a program that ends at once: headers, and a call of exit(0).
func smallest(t *testing.T) []byte {
	t.Helper()
	const base, size = 0x400000, 64 + 56                                              // of both headers
	machine, code := elf.EM_X86_64, []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05} // mov $60, %eax; xor %edi, %edi; syscall
	if runtime.GOARCH == "arm64" {                                                    // mov x8, #93; mov x0, #0; svc #0
		machine, code = elf.EM_AARCH64, []byte{0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 1, 0, 0, 0xd4}
	}
	var b bytes.Buffer
	for _, part := range []any{
		elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC), Machine: uint16(machine),
			Version: 1, Entry: base + size, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base,
			Filesz: size + uint64(len(code)), Memsz: size + uint64(len(code)), Align: 0x1000},
		code,
	} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func init() { helpers["locked ends"] = locksAndEnds }

// locksAndEnds makes three threads that end because their goroutine ends while locked.
func locksAndEnds() {
	tids := make([]int, 3)
	var ready sync.WaitGroup
	ready.Add(len(tids))
	var lock func(tid *int)
	lock = func(tid *int) {
		runtime.LockOSThread()
		if *tid = unix.Gettid(); *tid == os.Getpid() { // the main thread never ends
			go lock(tid)
			select {}
		}
		ready.Done()
		ready.Wait()
	}
	for i := range tids {
		go lock(&tids[i])
	}
	ready.Wait()
	lives := func(tid int) bool { return unix.Tgkill(os.Getpid(), tid, 0) == nil }
	for end := time.Now().Add(20 * time.Second); slices.ContainsFunc(tids, lives); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			os.Exit(1)
		}
	}
	os.Exit(0)
}

// nextTick waits for the next tick of the clock that files are stamped with, 10 ms at most.
func nextTick() { time.Sleep(20 * time.Millisecond) }

// An Exec record names the file that is executed, as stat does, its path and the parent.
func TestExecNamesFile(t *testing.T) {
	w := openGroup(t, GroupConfig{Follow: true})
	if err := w.Follow(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	self, err := OpenTarget(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	dir := t.TempDir()
	program, script, gone := filepath.Join(dir, "program"), filepath.Join(dir, "script"), filepath.Join(dir, "gone")
	write(t, program, smallest(t))
	write(t, gone, smallest(t))
	write(t, script, []byte("#!"+program+"\n"))
	deleted, err := os.Open(gone)
	if err != nil {
		t.Fatal(err)
	}
	defer deleted.Close()
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	ofDeleted := exec.Command("/proc/self/fd/3")
	ofDeleted.ExtraFiles = []*os.File{deleted}
	all := w.executions(exec.Command(program), exec.Command(script), ofDeleted)
	for i, want := range []struct{ path, file string }{
		{program, program}, {script, program}, {"/proc/self/fd/3", "/proc/self/fd/" + strconv.Itoa(int(deleted.Fd()))},
	} {
		got := all[i]
		if file := fileOf(t, want.file, got.File); got.File != file || got.Path != want.path {
			t.Errorf("%+v, want %q, %+v", got.Executed, want.path, file)
		}
	}
}

// A file that is written anew, at its place or at another with the same inode number, is another one.
func TestExecNamesContent(t *testing.T) {
	w := openGroup(t, GroupConfig{Follow: true})
	if err := w.Follow(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	var seen []bpf.PinwatchFileIdentity
	for i := range 40 {
		if i%2 == 1 {
			os.Remove(program)
		}
		write(t, program, smallest(t))
		seen = append(seen, w.executions(exec.Command(program))[0].File)
		nextTick()
	}
	numbers := map[uint64]int{}
	for i, file := range seen {
		numbers[file.Ino]++
		if slices.Contains(seen[:i], file) {
			t.Errorf("%+v twice", file)
		}
	}
	t.Log("by inode number:", numbers)
}

// The locks of a known program are read from its first instruction on, those of others are not.
func TestKnow(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	write(t, program, own)
	w := openGroup(t, GroupConfig{Follow: true})
	if err := w.Follow(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := goruntime.Keep(f, program, goruntime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	rt := RuntimeOf(&kept.Open(0).Info)
	leaf := func() *exec.Cmd {
		cmd := exec.Command(program)
		cmd.Env = []string{asHelper + "=locked ends"}
		return cmd
	}
	orphans := func(e execution) (n int) {
		for _, r := range w.bySlot[e.slot] {
			if r.Kind == events.Lock && r.Flags == events.LockOrphan {
				n++
			}
		}
		return n
	}
	first := w.executions(leaf())[0]
	if first.known || orphans(first) != 0 {
		t.Errorf("before: known %v, %d threads with a lock", first.known, orphans(first))
	}
	know := func(file bpf.PinwatchFileIdentity) {
		t.Helper()
		if err := w.Know(file, rt); err != nil {
			t.Fatal(err)
		}
	}
	know(first.File)
	if e := w.executions(leaf())[0]; !e.known || orphans(e) != 3 {
		t.Errorf("known %v, %d threads that end locked, want 3", e.known, orphans(e))
	}
	// Others that differ in one value each are not taken for it, and it is found among many. The first
	// four take its place.
	other := first.File
	for i, change := range []func(){
		func() { other.Size++ }, func() { other.CtimeNs ^= 1 }, func() { other.CtimeS++ }, func() { other.Generation++ },
		func() { other.Ino += 1 << 40 }, func() { other.Dev++ },
	} {
		other = first.File
		change()
		know(other)
		if e := w.executions(leaf())[0]; e.known && i < 4 {
			t.Errorf("taken for %+v", other)
		}
		know(first.File)
	}
	for i := range 300 {
		other = first.File
		other.Ino += uint64(i + 1)
		know(other)
	}
	know(first.File)
	if e := w.executions(leaf())[0]; !e.known || orphans(e) != 3 {
		t.Errorf("after 300 others: known %v, %d threads that end locked, want 3", e.known, orphans(e))
	}
	nextTick()
	write(t, program, own) // at its place
	if e := w.executions(leaf())[0]; e.known || orphans(e) != 0 {
		t.Error("a file that was written anew is taken for the old one")
	}
}

// Targets that run the same file share one breakpoint, and each has a record of each of its calls. A
// process that is no target has none.
func TestPinsOfOneFile(t *testing.T) {
	w := openGroup(t, GroupConfig{Pins: true})
	var members []*Member
	processes := []*testenv.Proc{}
	for range 3 {
		p := testenv.Workload(t, "churn", "-rate", "50", "-hold")
		p.Quiet()
		processes = append(processes, p)
	}
	probe := func(p *testenv.Proc) {
		t.Helper()
		rt, err := goruntime.Open(p.PID, goruntime.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close()
		m := w.add(p.PID)
		var at Place
		if at.Path, at.Offset, err = rt.CodePlace(rt.LockOSThread); err == nil {
			err = m.ProbePins(at)
		}
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
	}
	breakpoints := func(want int) {
		t.Helper()
		if n := len(w.pins.of); n != want {
			t.Errorf("%d breakpoints, want %d", n, want)
		}
	}
	probe(processes[0])
	probe(processes[1])
	breakpoints(1)
	for _, p := range processes {
		p.Go()
	}
	time.Sleep(200 * time.Millisecond)
	for i, p := range processes {
		calls := p.Quiesce().Sites[0].Pins
		p.Quiet()
		if w.drain(); i == 2 {
			break
		}
		if pins := w.count(members[i].Slot(), events.Pin); calls == 0 || pins != int(calls) {
			t.Errorf("process %d: %d calls seen, of %d", i, pins, calls)
		}
	}
	if len(w.bySlot) != 2 || len(w.orphans) > 0 {
		t.Errorf("records of %d targets, of none: %v", len(w.bySlot), w.orphans)
	}
	if err := members[0].Close(); err != nil {
		t.Error(err)
	}
	breakpoints(1)
	if err := members[1].Close(); err != nil {
		t.Error(err)
	}
	breakpoints(0)
}

package procfs

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseAttributes(t *testing.T) {
	var a Attributes
	a.parseStatus("Name:\tx\nUmask:\t0022\nUid:\t0\t1\t2\t3\nGid:\t4\t5\t6\t7\nGroups:\t10 11 " +
		"\nCapInh:\t00\nCapEff:\tff\n" +
		"NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n")
	want := Attributes{Umask: "0022", Credentials: "uid 0 1 2 3, gid 4 5 6 7, groups 10 11",
		Capabilities: "Inh 00, Eff ff",
		NoNewPrivs:   "1", Seccomp: "2, 3", CPUsAllowed: "0-1"}
	if a != want {
		t.Errorf("%q, want %q", a, want)
	}
	for i := range AttributeCount {
		if i.String() == "" {
			t.Errorf("attribute %d has no name", i)
		}
	}
}

// apart runs f on a thread that ends with it, and is not the main thread: that one does not end.
func apart(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		defer runtime.UnlockOSThread()
		done := make(chan bool)
		go func() { defer close(done); apart(f) }()
		<-done
		return
	}
	f()
}

// TestReadAttributes changes a thread of this process, and finds that and nothing else.
func TestReadAttributes(t *testing.T) {
	pid := os.Getpid()
	changed := make(chan int32)
	release := make(chan bool)
	go apart(func() {
		tid := int32(unix.Gettid())
		if err := errors.Join(unix.Setpriority(unix.PRIO_PROCESS, 0, 7), unix.Unshare(unix.CLONE_FS)); err != nil {
			t.Error(err)
		}
		unix.Umask(0o111)
		changed <- tid
		<-release
	})
	tid := <-changed
	defer close(release)
	standard, err := ReadAttributes(pid, int32(pid))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadAttributes(pid, tid)
	if err != nil {
		t.Fatal(err)
	}
	for i := range AttributeCount {
		if differs := got[i] != standard[i]; differs != (i == Nice || i == Umask) {
			t.Errorf("%s: %q and %q", i, got[i], standard[i])
		}
	}
	if got[Nice] != "7" || got[Umask] != "0111" || !strings.HasPrefix(got[NetNS], "net:[") || got[Root] != "/" {
		t.Errorf("%q", got)
	}
	if got, err := ReadAttributes(pid, 1<<30); !errors.Is(err, fs.ErrNotExist) || got != (Attributes{}) {
		t.Errorf("a thread that does not exist: %q, %v", got, err)
	}
}

func TestThreadStates(t *testing.T) {
	if tids := Self.FirstThreads(1); len(tids) != 1 || tids[0] != int32(os.Getpid()) {
		t.Errorf("%d, want the main thread's", tids)
	}
	if states := Self.ThreadStates(1 << 10); len(states) < 2 {
		t.Errorf("%q of a program in Go", states)
	}
	if states := Process(1 << 30).ThreadStates(1); states != nil {
		t.Errorf("%q of no process", states)
	}
}

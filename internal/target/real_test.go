package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

var host = os.DirFS("/")

// program copies a static program, which waits for its input to end, to a name of its own. It returns what names
// no other process.
func program(t *testing.T, dir, name string) (path, unique string) {
	t.Helper()
	text, err := os.ReadFile(testenv.WorkloadProgram(t))
	unique = fmt.Sprintf("%s-%d-", name, os.Getpid())
	path = filepath.Join(dir, unique+"x")
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, unique
}

// start starts a command that runs until the test ends, and waits for its first line.
func start(t *testing.T, cmd *exec.Cmd) (pid int) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatalf("%s: %v", cmd.Path, err)
	}
	return cmd.Process.Pid
}

// only is the one process that a choice means, by Scan and by Matches.
func only(t *testing.T, choice Choice) Process {
	t.Helper()
	c := chooser(t, host, choice)
	found, err := c.Scan()
	if err != nil || len(found) != 1 {
		t.Fatalf("%d processes, %v, want one", len(found), err)
	}
	p := found[0]
	if matched, ok := chooser(t, host, choice).Matches(p.PID); !ok || matched.PID != p.PID || matched.Exe != p.Exe {
		t.Errorf("Matches: %+v, %t", matched, ok)
	}
	return p
}

// TestDeleted: a deleted program keeps its name, and a file whose name ends as that of a deleted one too.
func TestDeleted(t *testing.T) {
	path, unique := program(t, t.TempDir(), "deleted")
	pid := start(t, exec.Command(path, "idle"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p := only(t, Choice{Names: patterns(t, "^"+unique+"x$")})
	if p.PID != pid || p.Exe != path || !p.Deleted {
		t.Errorf("%+v, want %d %s", p, pid, path)
	}
	path, unique = program(t, t.TempDir(), "named")
	named := path + deletedSuffix
	if err := os.Rename(path, named); err != nil {
		t.Fatal(err)
	}
	pid = start(t, exec.Command(named, "idle"))
	if p := only(t, Choice{Names: patterns(t, unique)}); p.PID != pid || p.Exe != named || p.Deleted {
		t.Errorf("%+v, want %d %s", p, pid, named)
	}
}

// TestDetached: a program whose file is mounted alone and nowhere, as runc does to its own, has no path; its name
// is the main thread's.
func TestDetached(t *testing.T) {
	testenv.Require(t, testenv.Namespaces)
	path, _ := program(t, t.TempDir(), "detached")
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "detached")
	defer file.Close()
	cmd := exec.Command("/proc/self/fd/3", "idle")
	cmd.ExtraFiles = []*os.File{file}
	pid := start(t, cmd)
	p, err := Describe(host, pid)
	if err != nil || p.Exe != "" || p.Name() != "" || p.Deleted {
		t.Errorf("%+v, %v, want no path", p, err)
	}
	if found := chooser(t, host, Choice{Names: patterns(t, "^"+regexp.QuoteMeta(p.Comm)+"$")}); !strings.Contains(scan(t, found),
		strconv.Itoa(pid)) {
		t.Errorf("not found as %s", p.Comm)
	}
}

func TestMemfd(t *testing.T) {
	path, unique := program(t, t.TempDir(), "memfd")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("dir/"+unique, unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "memfd")
	defer file.Close()
	if _, err := file.Write(text); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/fd/3", "idle")
	cmd.ExtraFiles = []*os.File{file}
	readOnly, err := os.Open("/proc/self/fd/" + strconv.Itoa(fd)) // a file open for writing can't be executed
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	cmd.ExtraFiles = []*os.File{readOnly}
	file.Close()
	pid := start(t, cmd)
	if p := only(t, Choice{Names: patterns(t, "^dir/"+unique+"$")}); p.PID != pid || p.Name() != "dir/"+unique || !p.Deleted {
		t.Errorf("%+v, want %d", p, pid)
	}
}

// TestNamespaces: a static program in a root directory that has nothing else, and in its own PID, mount, UTS and user
// namespaces, is found by its name there and seen by both numbers.
func TestNamespaces(t *testing.T) {
	testenv.Require(t, testenv.Namespaces)
	for name, flags := range map[string]uintptr{
		"chroot":     0,
		"namespaces": unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP,
		"user":       unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUSER,
	} {
		root := t.TempDir()
		if err := os.Chmod(root, 0o755); err != nil {
			t.Fatal(err)
		}
		path, unique := program(t, root, name)
		cmd := exec.Command("/"+filepath.Base(path), "idle")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Chroot: root}
		if flags&unix.CLONE_NEWUSER != 0 {
			ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
			cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = ids, ids
		}
		pid := start(t, cmd)
		p := only(t, Choice{Names: patterns(t, "^"+unique+"x$")})
		want := []int32{int32(pid)}
		if flags != 0 {
			want = append(want, 1)
		}
		if p.PID != pid || p.Name() != filepath.Base(path) || p.Deleted || !slices.Equal(p.NSPIDs, want) {
			t.Errorf("%s: %+v, want %d", name, p, want)
		}
	}
}

// TestLeaderEnded: the main thread of a process has ended, and another lives.
func TestLeaderEnded(t *testing.T) {
	program := testenv.CProgram(t, "testdata/leaderended.c")
	pid := start(t, exec.Command(program))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // the kernel wakes who joins it first
		status, err := procfs.Process(pid).Status()
		if err == nil && status.State == 'Z' {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the main thread has not ended: %c, %v", status.State, err)
		}
	}
	p := only(t, Choice{Names: patterns(t, "^"+regexp.QuoteMeta(filepath.Base(program))+"$")})
	if p.PID != pid || p.Exe != program {
		t.Errorf("%+v, want %d %s", p, pid, program)
	}
	self, err := Describe(host, os.Getpid())
	if err != nil || p.Cgroup != self.Cgroup {
		t.Errorf("in %s, want %s, %v", p.Cgroup, self.Cgroup, err)
	}
}

// TestOwn: neither this process nor its ancestors are chosen, but by PID; a thread and a zombie are not processes.
func TestOwn(t *testing.T) {
	found, err := chooser(t, host, Choice{AllGo: true}).Scan()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if p.PID == os.Getpid() || p.PID == os.Getppid() || p.PID == 1 || p.PID == 2 {
			t.Errorf("%+v is chosen", p)
		}
	}
	if _, err := NewChooser(host, Choice{PIDs: []int{os.Getpid()}}); err == nil {
		t.Error("pinwatch may observe itself")
	}
	path, _ := program(t, t.TempDir(), "own")
	cmd := exec.Command(path, "idle")
	pid := start(t, cmd)
	tids, err := procfs.Process(pid).Threads()
	if err != nil || len(tids) < 2 {
		t.Fatalf("threads %d, %v", tids, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	thread := 0
	own, err := procfs.Self.Threads()
	if err != nil {
		t.Fatal(err)
	}
	for _, tid := range own {
		if int(tid) != os.Getpid() {
			thread = int(tid)
		}
	}
	c := chooser(t, host, Choice{PIDs: []int{os.Getppid(), pid, thread, 1 << 30}})
	if found, err := c.Scan(); err != nil || len(found) != 1 || found[0].PID != os.Getppid() {
		t.Errorf("%+v, %v, want the parent", found, err)
	}
	want := fmt.Sprintf("process %d ended before observation began\nprocess %d is a thread of process %d: name that\n"+
		"process %d: no such process", pid, thread, os.Getpid(), 1<<30)
	var missing []error
	for _, pid := range c.choice.PIDs {
		_, err := c.Describe(pid)
		missing = append(missing, err)
	}
	if got := errors.Join(missing...); got == nil || got.Error() != want {
		t.Errorf("missing %v, want %s", got, want)
	}
}

// TestCgroups moves a process into a new group of each hierarchy that lets it, and into one below.
func TestCgroups(t *testing.T) {
	testenv.Require(t, testenv.CPUQuota)
	path, _ := program(t, t.TempDir(), "cgroup")
	pid := start(t, exec.Command(path, "idle"))
	id, tried := hexID(fmt.Sprintf("%x", os.Getpid())), 0
	for _, m := range procfs.CgroupMounts(host) {
		move := func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
		}
		top := "/" + m.Dir
		group, below := top+"/docker-"+id+".scope", top+"/docker-"+id+".scope/below"
		if err := os.MkdirAll(below, 0o755); err != nil {
			continue // read-only
		}
		if err := move(group); err != nil { // as a cpuset without CPUs
			t.Log(errors.Join(err, os.Remove(below), os.Remove(group)))
			continue
		}
		tried++
		byDir, byName := chooser(t, host, Choice{Cgroups: []string{group}}), Choice{Cgroups: []string{filepath.Base(group)}}
		for _, choice := range []Choice{{Cgroups: []string{group}}, byName, {Containers: []string{id[:12]}}} {
			if p := only(t, choice); p.PID != pid || p.Container() == nil || p.Container().ID != id {
				t.Errorf("%s: %+v", group, p)
			}
		}
		if err := move(below); err != nil {
			t.Error(err)
		}
		if got := scan(t, byDir); got != fmt.Sprint([]int{pid}) {
			t.Errorf("%s: %s, want %d", below, got, pid)
		}
		if err := errors.Join(move(top), os.Remove(below), byDir.Gone(), os.Remove(group)); err != nil {
			t.Error(err)
		}
		if err := byDir.Gone(); err == nil {
			t.Errorf("%s was removed, and is not gone", group)
		}
		if _, ok := byDir.Matches(pid); ok {
			t.Errorf("%s: a process that left is chosen", group)
		}
		if _, err := NewChooser(host, byName); err == nil || !strings.Contains(err.Error(), top) {
			t.Errorf("%s was removed: %v", group, err)
		}
	}
	if tried == 0 {
		t.Fatal("no hierarchy took the process")
	}
	t.Logf("tried %d hierarchies", tried)
}

// BenchmarkMatches is what an exec of a foreign process costs, by what is chosen.
func BenchmarkMatches(b *testing.B) {
	cmd := exec.Command("sleep", "1h")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	foreign := cmd.Process.Pid
	for name, c := range map[string]*Chooser{
		"name":      {choice: Choice{Names: []*regexp.Regexp{regexp.MustCompile("^worker-.*$")}}},
		"cgroup":    {cgroups: []*cgroup{{places: []place{{path: "/system.slice/x"}}}}},
		"container": {containers: []wanted{{is: func(c *Container) bool { return c.Name == "web" }}}},
		"unit":      {units: []unit{{"nginx.service"}}},
	} {
		c.root = host
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, ok := c.Matches(foreign); ok {
					b.Fatal("chosen")
				}
			}
		})
	}
}

// BenchmarkDescribe is what a process that is chosen costs.
func BenchmarkDescribe(b *testing.B) {
	for b.Loop() {
		if _, err := Describe(host, os.Getpid()); err != nil {
			b.Fatal(err)
		}
	}
}

package target

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// tree is the file system of a machine on which pinwatch is process 90, below sudo, 80, and a shell, 70.
type tree struct{ fstest.MapFS }

const version2 = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

func newTree() tree {
	t := tree{fstest.MapFS{}}
	t.link("proc/self", "90")
	t.file("proc/90/mountinfo", version2)
	t.process(1, fake{exe: "/usr/lib/systemd/systemd", cgroup: "0::/init.scope"})
	t.process(2, fake{comm: "kthreadd", flags: 0x00200000, cgroup: "0::/"})
	t.process(70, fake{exe: "/bin/bash", parent: 1, cgroup: "0::/user.slice"})
	t.process(80, fake{exe: "/usr/bin/sudo", parent: 70, cgroup: "0::/user.slice"})
	t.process(90, fake{exe: "/usr/bin/pinwatch", parent: 80, cgroup: "0::/user.slice"})
	return t
}

func (t tree) file(name, text string) {
	t.MapFS[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
}

func (t tree) link(name, to string) {
	t.MapFS[name] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink}
}

func (t tree) dir(names ...string) {
	for _, name := range names {
		t.MapFS[name] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	}
}

// fake is a process of a tree. comm is by default the beginning of the program's name, as exec sets it.
type fake struct {
	comm, exe, cgroup, nspid, environ string
	parent, flags, start              int
	state                             string
}

func (t tree) process(pid int, f fake) {
	if f.comm == "" {
		f.comm = baseName(strings.TrimSuffix(f.exe, deletedSuffix))
		f.comm = f.comm[:min(15, len(f.comm))]
	}
	if f.state == "" {
		f.state = "S"
	}
	if f.nspid == "" {
		f.nspid = fmt.Sprint(pid)
	}
	dir := fmt.Sprintf("proc/%d/", pid)
	t.file(dir+"status", fmt.Sprintf("Name:\t%s\nTgid:\t%d\nUid:\t7\t7\t7\t7\nNSpid:\t%s\n", f.comm, pid, f.nspid))
	t.thread(pid, pid, f)
	t.file(dir+"cgroup", f.cgroup+"\n")
	t.file(dir+"environ", f.environ)
	if f.exe != "" {
		t.link(dir+"exe", f.exe)
	}
}

// thread adds the stat of a thread.
func (t tree) thread(pid, tid int, f fake) {
	t.file(fmt.Sprintf("proc/%d/task/%d/stat", pid, tid),
		fmt.Sprintf("%d (%s) %s %d 1 1 0 -1 %d 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0\n",
			tid, f.comm, f.state, f.parent, f.flags, f.start+pid))
}

// chooser is a Chooser that must be made.
func chooser(t *testing.T, root fs.FS, choice Choice) *Chooser {
	t.Helper()
	c, err := NewChooser(root, choice)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// scan is the processes that a Scan returns.
func scan(t *testing.T, c *Chooser) string {
	t.Helper()
	found, err := c.Scan()
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range found {
		pids = append(pids, p.PID)
	}
	return fmt.Sprint(pids)
}

// chosen is the processes that a choice means, each of which Matches must agree on.
func chosen(t *testing.T, root fs.FS, choice Choice) string {
	t.Helper()
	found := scan(t, chooser(t, root, choice))
	c := chooser(t, root, choice)
	var matched []int
	for _, pid := range c.pids() {
		if p, ok := c.Matches(pid); ok && p.PID == pid {
			matched = append(matched, pid)
		}
	}
	if again := fmt.Sprint(matched); again != found && len(choice.PIDs) == 0 {
		t.Errorf("Scan found %s, Matches %s", found, again)
	}
	return found
}

func patterns(t *testing.T, values ...string) []*regexp.Regexp {
	t.Helper()
	names, err := ParseNames("name", values)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestNames(t *testing.T) {
	root := newTree()
	root.process(100, fake{exe: "/srv/worker-1"})
	root.process(101, fake{exe: "/srv/worker-with-a-long-name (deleted)"})
	root.process(102, fake{exe: "/memfd:worker/2 (deleted)"})
	root.process(103, fake{exe: "/bin/k3s", comm: "k3s-server"})  // argv[0] named it
	root.process(104, fake{exe: "/usr/bin/python3", comm: "job"}) // a script
	root.process(105, fake{comm: "hidden"})                       // exe can't be read
	root.process(106, fake{exe: "/worker/bin/other"})
	root.process(107, fake{exe: "/srv/worker-zombie", state: "Z"})
	root.thread(107, 107, fake{comm: "worker-zombie", state: "Z"})
	root.process(108, fake{comm: "main", state: "Z"}) // its main thread has ended
	root.thread(108, 208, fake{comm: "x", state: "S"})
	root.link("proc/108/task/208/exe", "/srv/left")
	for pattern, want := range map[string]string{
		"worker":     "[100 101 102]",
		"^worker$":   "[]",
		"^worker-1$": "[100]",
		"long-name$": "[101]",
		"deleted":    "[]",
		"worker/2":   "[102]",
		"k3s-s":      "[103]",
		"^k3s$":      "[103]",
		"^job$":      "[104]",
		"hidden":     "[105]",
		"left":       "[108]",
		"kthread":    "[]",
		"pinwatch":   "[]",
		"sudo|bash":  "[]", // pinwatch's ancestors
		"systemd":    "[]", // also
	} {
		if got := chosen(t, root, Choice{Names: patterns(t, pattern)}); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	if got := chosen(t, root, Choice{Names: patterns(t, "k3s", "^job")}); got != "[103 104]" {
		t.Errorf("two patterns: %s", got)
	}
	if got, want := chosen(t, root, Choice{AllGo: true}), "[100 101 102 103 104 105 106 108]"; got != want {
		t.Errorf("all: %s, want %s", got, want)
	}
	// Another process has the number of an ancestor that ended.
	c := chooser(t, root, Choice{Names: patterns(t, "bash")})
	root.process(70, fake{exe: "/bin/bash", start: 1})
	if got := scan(t, c); got != "[70]" {
		t.Errorf("after the ancestor's end: %s", got)
	}
}

func TestPIDs(t *testing.T) {
	root := newTree()
	root.process(100, fake{exe: "/a"})
	root.process(101, fake{exe: "/b", state: "Z"})
	root.thread(101, 101, fake{comm: "b", state: "Z"})
	root.file("proc/102/status", "Name:\tx\nTgid:\t100\n")
	root.thread(102, 102, fake{comm: "x", state: "S"})
	c := chooser(t, root, Choice{PIDs: []int{100, 80, 101, 102, 2, 999}})
	if got := scan(t, c); got != "[100 80]" {
		t.Errorf("%s, want the process and the parent that was asked for", got)
	}
	want := []string{"process 101 ended before observation began", "process 102 is a thread of process 100: name that",
		"process 2 is a kernel thread", "process 999: no such process"}
	var missing []string
	for _, pid := range c.choice.PIDs {
		if _, err := c.Describe(pid); err != nil {
			missing = append(missing, err.Error())
		}
	}
	if !slices.Equal(missing, want) {
		t.Errorf("missing %q, want %q", missing, want)
	}
	if c.Watches() || c.Waits() != "" {
		t.Errorf("waits for %q", c.Waits())
	}
	if _, ok := c.Matches(100); !ok {
		t.Error("an exec of a process that was asked for is not its own")
	}
	if _, err := NewChooser(root, Choice{PIDs: []int{100, 90}}); err == nil ||
		err.Error() != `-p "90": that is pinwatch itself, which can't observe itself` {
		t.Errorf("pinwatch itself: %v", err)
	}
	var refused *ChoiceError
	if _, _, err := ParsePIDs([]string{"1,"}); err != nil {
		t.Error(err)
	}
	if _, _, err := ParsePIDs([]string{"99999999999"}); !errors.As(err, &refused) {
		t.Error(err)
	}
	if pids, remarks, err := ParsePIDs([]string{"3 1\n", "2,1,1"}); err != nil || fmt.Sprint(pids, remarks) !=
		"[3 1 2] [-p: 1 is in the list twice; it is observed once]" {
		t.Errorf("%v %q %v", pids, remarks, err)
	}
}

// Scan returns each process once, and one that took its number.
func TestScanOnce(t *testing.T) {
	root := newTree()
	root.process(100, fake{exe: "/a"})
	c := chooser(t, root, Choice{Names: patterns(t, "^[ab]$"), Cgroups: nil})
	steps := []struct {
		do   func()
		want string
	}{
		{func() {}, "[100]"},
		{func() {}, "[]"},
		{func() { root.process(101, fake{exe: "/b"}) }, "[101]"},
		{func() { root.process(100, fake{exe: "/a", start: 5}) }, "[100]"}, // the number again
		{func() { root.process(102, fake{exe: "/c"}) }, "[]"},
		{func() { root.process(102, fake{exe: "/a"}) }, "[102]"}, // an exec that was not seen
		{func() { root.process(103, fake{exe: "/a"}); c.Matches(103) }, "[]"},
	}
	for i, s := range steps {
		s.do()
		if got := scan(t, c); got != s.want {
			t.Errorf("step %d: %s, want %s", i, got, s.want)
		}
	}
	if len(c.seen) != 4 {
		t.Errorf("%d processes kept", len(c.seen))
	}
	if _, err := chooser(t, fstest.MapFS{}, Choice{AllGo: true}).Scan(); err == nil {
		t.Error("no /proc is no error")
	}
}

func TestDescribe(t *testing.T) {
	root := newTree()
	id := hexID("aa11")
	root.process(100, fake{exe: "/app (deleted)", comm: "a) b", parent: 1, nspid: "100\t5\t1", start: 50,
		cgroup: "9:name=systemd:/system.slice/docker-" + id + ".scope\n3:cpu,cpuacct:/x\n0::/"})
	p, err := Describe(root, 100)
	if err != nil {
		t.Fatal(err)
	}
	if p.PID != 100 || fmt.Sprint(p.NSPIDs) != "[100 5 1]" || p.Parent != 1 || p.UID != 7 || p.Comm != "a) b" ||
		p.Start != 1500*time.Millisecond || p.Exe != "/app" || p.Name() != "app" || !p.Deleted ||
		p.Cgroup != "/system.slice/docker-"+id+".scope" || p.Unit != "" || p.Container().ID != id {
		t.Errorf("%+v", p)
	}
	root.process(101, fake{exe: "/x", cgroup: "2:memory:/job/7\n0::/"})
	if p, err := Describe(root, 101); err != nil || p.Cgroup != "/job/7" || p.Container() != nil || p.Deleted {
		t.Errorf("%+v, %v", p, err)
	}
	root.process(102, fake{cgroup: "0::/user.slice/user-7.slice/user@7.service/app.slice/a.service/sub"})
	if p, err := Describe(root, 102); err != nil || p.Unit != "a.service" || p.Name() != "" {
		t.Errorf("%+v, %v", p, err)
	}
}

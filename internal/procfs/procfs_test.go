package procfs

import (
	"errors"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	// Every number is different where it is read.
	const fields = "S 4 5 6 7 8 2129984 10 11 12 13 1450 50 16 17 18 -5 20 21 360000 " +
		"23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 3 40 1 42"
	got, err := ParseStat("4242 (a) S (b\\n) " + fields)
	want := Stat{Name: `a) S (b\n`, State: 'S', Parent: 4, Flags: 2129984, CPU: 3, Used: 15 * time.Second,
		ChildrenUsed: 330 * time.Millisecond, Start: time.Hour, Nice: -5, Policy: 1}
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got.Flags&KernelThread == 0 || PolicyName(got.Policy) != "SCHED_FIFO" || PolicyName(4) != "4" {
		t.Errorf("flags %#x, policy %s", got.Flags, PolicyName(got.Policy))
	}
	for _, line := range []string{"", "1", "1 (", "1 )(", "1 (x)", "1 (x) S 1 2 3",
		"1 (x) " + strings.Replace(fields, "360000", "x", 1)} {
		if got, err := ParseStat(line); err == nil {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	got, err := ParseStatus("Name:\ta:b\nState:\tT " +
		"(stopped)\nTgid:\t40\nPid:\t42\nTracerPid:\t7\nUid:\t9\t0\t0\t0\nNSpid:\t42\t5\t2\n" +
		"RssAnon:\t      12 kB\nThreads:\t3\nCapPrm:\t000001ffffffffff\nCapEff:\t000000c000000000\n" +
		"voluntary_ctxt_switches:\t10\nnonvoluntary_ctxt_switches:\t4\n")
	rss, capabilities := uint64(12<<10), uint64(0xc000000000)
	want := Status{State: 'T', TGID: 40, TracerPID: 7, UID: 9, NSPID: []int32{42, 5, 2}, Threads: 3, RSSAnon: &rss,
		Switches: 14, Effective: &capabilities}
	if err != nil || !reflect.DeepEqual(got, want) || got.NSTID() != 2 {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, text := range []string{"", "Tgid:\n", "RssAnon", "x"} {
		if got, err := ParseStatus(text); err != nil || !reflect.DeepEqual(got, Status{}) || got.NSTID() != 0 {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"Tgid: x", "NSpid: 1 x", "RssAnon: 18446744073709551615 kB", "Threads: ?",
		"TracerPid: -", "CapEff: z", "voluntary_ctxt_switches: -1"} {
		if got, err := ParseStatus(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestCPUs(t *testing.T) {
	for list, want := range map[string][]int{
		"":             nil,
		"0":            {0},
		"0-3":          {0, 1, 2, 3},
		"0,2-3,8":      {0, 2, 3, 8},
		"3-1":          nil,
		"a-b":          nil,
		"0,":           nil,
		"0-9999999999": nil,
		"0-2000000000": nil,
		"-1":           nil,
		"0-":           nil,
	} {
		if got := ParseCPUs(list); !slices.Equal(got, want) {
			t.Errorf("ParseCPUs(%q) = %v, want %v", list, got, want)
		}
	}
	if got := ParseCPUs(strings.Repeat("0-65535,", 1000) + "0"); got != nil {
		t.Errorf("a list of %d CPUs", len(got))
	}
}

func TestParseMapping(t *testing.T) {
	m, ok := ParseMapping("7f3c4a000000-7f3c4a021000 r-xp 00001000 fd:01 1234                       " +
		`/a b/x\012.so (deleted)`)
	if want := (Mapping{0x7f3c4a000000, 0x7f3c4a021000, "r-xp", 0x1000, 1234, "/a b/x\n.so (deleted)"}); !ok ||
		m != want || !m.IsFile() || !m.Has("xp") || m.Has("rw") {
		t.Errorf("got %+v, %t", m, ok)
	}
	for line, want := range map[string]Mapping{
		"7f3c-7f3d rw-p 00000000 00:00 0 ":                {0x7f3c, 0x7f3d, "rw-p", 0, 0, ""},
		"7f3c-7f3d r-xp 00000000 00:00 0          [vdso]": {0x7f3c, 0x7f3d, "r-xp", 0, 0, "[vdso]"},
	} {
		if m, ok := ParseMapping(line); !ok || m != want || m.IsFile() {
			t.Errorf("ParseMapping(%q) = %+v, %t", line, m, ok)
		}
	}
	for _, line := range []string{"", "x-y r-xp 0 0:0 1 /x", "7f3c r-xp 0 0:0 1 /x"} {
		if m, ok := ParseMapping(line); ok {
			t.Errorf("ParseMapping(%q) = %+v", line, m)
		}
	}
}

// TestReadSchedule compares this process's schedule with what its system calls return.
func TestReadSchedule(t *testing.T) {
	s := ReadSchedule(os.Getpid(), int32(os.Getpid()))
	want, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.Affinity == nil || *s.Affinity == "" || !slices.Equal(ParseCPUs(*s.Affinity), s.CPUs) || s.Nice == nil ||
		*s.Nice != 20-want ||
		s.Policy == nil || *s.Policy != "SCHED_OTHER" {
		t.Errorf("affinity %v, nice %v, policy %v", s.Affinity, s.Nice, s.Policy)
	}
	if s := ReadSchedule(os.Getpid(), 1<<30); s.Affinity != nil || s.CPUs != nil || s.Nice != nil || s.Policy != nil {
		t.Error("a thread that does not exist has a schedule")
	}
}

func TestEnv(t *testing.T) {
	dir := Dir(t.TempDir())
	if err := os.WriteFile(string(dir)+"/environ", []byte("GODEBUGS=a\x00GODEBUG=b=1,c=2\x00A=GODEBUG=d"),
		0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"GODEBUG": "b=1,c=2", "A": "GODEBUG=d", "B": ""} {
		if got := dir.Env(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := Process(1 << 30).Env("A"); got != "" {
		t.Errorf("a process that does not exist has A=%s", got)
	}
}

// exePath is the path of this test's program.
func exePath(t *testing.T) string {
	t.Helper()
	path, err := Self.Exe()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestThisProcess compares this process's files in /proc with what its system calls return.
func TestThisProcess(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, tid := os.Getpid(), int32(unix.Gettid())
	tids, err := Process(pid).Threads()
	if err != nil || !slices.Contains(tids, tid) {
		t.Errorf("threads %v without %d, %v", tids, tid, err)
	}
	status, err := Thread(pid, tid).Status()
	if err != nil || status.TGID != pid || status.State != 'R' || status.Threads < 1 || status.RSSAnon == nil ||
		*status.RSSAnon < 100<<10 ||
		len(status.NSPID) == 0 || status.NSPID[0] != tid || status.Switches == 0 {
		t.Errorf("%+v, %v", status, err)
	}
	stat, err := Thread(pid, tid).Stat()
	if err != nil || stat.State != 'R' || stat.Start <= 0 || stat.Start > SinceBoot() {
		t.Errorf("%+v, %v", stat, err)
	}
	if leader, err := Leader(int(tid)); err != nil || leader != pid {
		t.Errorf("leader %d, %v", leader, err)
	}
	if _, err := Leader(1 << 30); err == nil || !strings.Contains(err.Error(), "no such process") ||
		errors.Is(err, os.ErrPermission) {
		t.Errorf("a process that does not exist: %v", err)
	}
	if exe, err := Process(pid).Exe(); err != nil || !strings.HasPrefix(exe, "/") {
		t.Errorf("%s, %v", exe, err)
	}
	if !slices.Contains(Processes(), pid) || slices.Contains(Processes(), 1<<30) {
		t.Errorf("%d is not among the processes", pid)
	}
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	if files, err := Self.Files(); err != nil || files[int(exe.Fd())] != exePath(t) {
		t.Errorf("open files %v, %v", files, err)
	}
	if files, err := Process(1 << 30).Files(); err == nil || files != nil {
		t.Errorf("open files of no process: %v, %v", files, err)
	}
	if !ShowsOurNamespace() {
		t.Error("/proc is of another PID namespace")
	}
}

func TestParseSyscall(t *testing.T) {
	if got, ok := parseSyscall("0 0x3 0xc000 0x1 0x0 0x0 0x0 0x7ffd 0x47b0ce\n"); !ok ||
		got != (Syscall{0, 0x7ffd, 0x47b0ce}) {
		t.Errorf("%+v, %t", got, ok)
	}
	for _, text := range []string{"", "running\n", "-1 0x7ffd 0x47b0ce\n", "-1 0 0 0 0 0 0 0 0", "x 0 0 0 0 0 0 0 0",
		"0 0 0 0 0 0 0 0 x", "0 0 0 0 0 0 0 x 0"} {
		if got, ok := parseSyscall(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestParseBPFObjects(t *testing.T) {
	link := "pos:\t0\nflags:\t02000000\nlink_type:\traw_tracepoint\nlink_id:\t7\nprog_tag:\t0f\nprog_id:\t4294967295\n"
	if got := parseBPFObjects(link); !slices.Equal(got, []BPFObject{{"link", 7}, {"prog", 4294967295}}) {
		t.Errorf("%+v", got)
	}
	for _, text := range []string{"", "pos:\t0\nmnt_id:\t14\nino:\t3\n", "prog_id:\t4294967296\n", "map_id\n",
		"prog_id:\tx\n"} {
		if got := parseBPFObjects(text); got != nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestParseMachine(t *testing.T) {
	text := "cpu  100 20 30 4000 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nprocs_running 3\nprocs_blocked 0\n"
	m, err := ParseMachine(text)
	const tick = time.Second / UserHZ
	if want := (Machine{Busy: 150 * tick, Interrupts: 13 * tick, Stolen: 8 * tick, Running: 3}); err != nil || m != want {
		t.Errorf("%+v, %v, want %+v", m, err, want)
	}
	for _, text := range []string{"cpu x 0 0 0 0 0 0 0 0\n", "procs_running x\n"} {
		if m, err := ParseMachine(text); err == nil {
			t.Errorf("%q: %+v", text, m)
		}
	}
	if m, err := ReadMachine(); err != nil || m.Busy == 0 || m.Running == 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestMaxProcesses(t *testing.T) {
	const limits = "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max cpu time              unlimited            unlimited            seconds   \n" +
		"Max processes             %s                4096                 processes \n"
	for soft, want := range map[string]uint64{"200": 200, "unlimited": 0, "": 0} {
		text := strings.Replace(limits, "%s", soft, 1)
		if soft == "" {
			text = limits[:20]
		}
		if got, ok := maxProcesses(text); got != want || ok != (want > 0) {
			t.Errorf("%q: %d, %t", soft, got, ok)
		}
	}
}

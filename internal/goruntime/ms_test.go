package goruntime

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

// A msThread is the state of a thread of testdata/ms, as the program prints it.
type msThread struct {
	TID    int32
	Role   string
	Lock   string
	Ext    uint32
	Int    uint32
	GoID   uint64
	Entry  string
	Parked bool
	Gone   bool
}

// msBuilds are the builds of testdata/ms to read.
var msBuilds = []struct {
	name string
	args []string
	mode []string // of the program
}{
	{name: "plain"},
	{name: "wedged main thread", mode: []string{"wedge"}},
	{name: "pie", args: []string{"-buildmode=pie"}},
	{name: "cgo", args: []string{"-tags=withcgo"}},
	{name: "cgo pie, wedged main thread", args: []string{"-tags=withcgo", "-buildmode=pie"}, mode: []string{"wedge"}},
}

// TestMs compares the result of Ms for every thread with the state that the program prints.
func TestMs(t *testing.T) {
	for _, goroot := range testprog.Goroots(t) {
		for _, b := range msBuilds {
			t.Run(filepath.Base(goroot)+"/"+b.name, func(t *testing.T) {
				proc, want := startMs(t, buildMs(t, goroot, b.args...), b.mode...)
				r := openMs(t, proc.Pid)
				// A goroutine parks after it has reported that it will. From then on every read must agree.
				read := func() []string {
					ms, err := r.Ms()
					if err != nil {
						t.Fatal(err)
					}
					return compareMs(proc.Pid, ms, want)
				}
				problems := read()
				for deadline := time.Now().Add(20 * time.Second); problems != nil && time.Now().Before(deadline); {
					problems = read()
				}
				for i := 0; i < 200 && problems == nil; i++ {
					problems = read()
				}
				if problems != nil {
					t.Error(strings.Join(problems, "\n"))
				}
			})
		}
	}
}

// compareMs returns the differences between the Ms and the threads.
func compareMs(pid int, ms []M, want []msThread) (problems []string) {
	wrong := func(what string, v ...any) {
		b, _ := json.Marshal(v)
		problems = append(problems, what+": "+string(b))
	}
	of := make(map[int32]M)
	roles := make(map[string]int)
	for _, m := range ms {
		if m.TID == 0 {
			continue
		}
		if _, err := os.Stat("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(int(m.TID))); err != nil {
			wrong("no such thread", m)
		}
		of[m.TID] = m
		roles[m.Role]++
		if m.Role == RoleUnknown || m.Lock == LockUnknown {
			wrong("unknown", m)
		}
	}
	for _, w := range want {
		m, ok := of[w.TID]
		delete(of, w.TID)
		if w.Gone {
			if ok {
				wrong("a thread without M has one", m, w)
			}
			continue
		}
		// sysmon preempts the spinner; then it is parked. Just before, it is runnable and still the
		// M's current goroutine (runtime/proc.go, goschedImpl: casgstatus precedes dropg).
		spinner := w.Entry == "main.spinner"
		if m.Role != w.Role || m.Lock != w.Lock || m.Ext != w.Ext || m.Int != w.Int || m.GoID != w.GoID ||
			m.Parked != w.Parked && !spinner {
			wrong("M, thread", m, w)
		}
		if (m.EntryPC != 0) != (w.Entry != "") ||
			m.Parked && m.CurGoID == m.GoID && m.Role == RoleWorker && m.Int == 0 && !spinner {
			wrong("M, thread", m, w)
		}
	}
	for _, m := range of {
		if m.Lock != LockNone || m.GoID != 0 {
			wrong("locked, but by no goroutine of the program", m)
		}
	}
	if roles[RoleMain] != 1 || roles[RoleSysmon] != 1 || roles[RoleTemplate] != 1 {
		wrong("roles", roles)
	}
	return problems
}

// TestMAt reads every M of the list alone. It is the M of its thread only.
func TestMAt(t *testing.T) {
	proc, _ := startMs(t, buildMs(t, testprog.Goroot(t)))
	r := openMs(t, proc.Pid)
	ms, err := r.Ms()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		got, err := r.MAt(m.Addr, m.TID)
		if err != nil || got.ID != m.ID || got.Role != m.Role || got.Lock != m.Lock {
			t.Errorf("MAt = %+v, %v, want %+v", got, err, m)
		}
		checkErr(t, r, m.Addr, m.TID+1)
		checkErr(t, r, m.Addr+8, m.TID)
	}
}

// buildMs builds testdata/ms.
func buildMs(t *testing.T, goroot string, args ...string) string {
	t.Helper()
	return testprog.Build(t, "testdata/ms", goroot, "", args...)
}

func startMs(t *testing.T, exe string, args ...string) (*os.Process, []msThread) {
	t.Helper()
	proc, lines := testprog.Start(t, exe, args...)
	if !lines.Scan() {
		t.Fatalf("%s gave no account of itself: %v", exe, lines.Err())
	}
	var acc struct{ Threads []msThread }
	if err := json.Unmarshal(lines.Bytes(), &acc); err != nil {
		t.Fatalf("%q: %v", lines.Text(), err)
	}
	return proc, acc.Threads
}

func checkErr(t *testing.T, r *Runtime, addr uint64, tid int32) {
	t.Helper()
	if m, err := r.MAt(addr, tid); !errors.Is(err, ErrCheck) {
		t.Errorf("MAt(%#x, %d) = %+v, %v", addr, tid, m, err)
	}
}

func openMs(t *testing.T, pid int) *Runtime {
	t.Helper()
	r, err := Open(pid, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

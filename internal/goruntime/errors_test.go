package goruntime

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

func TestReadNotGo(t *testing.T) {
	host := gcc(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho started\nread line\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ exe, reason string }{
		"C program": {host, "neither the executable nor a library of it has Go build info"},
		"script":    {script, "neither the executable nor a library of it has Go build info"},
		"packed C":  {pack(t, gcc(t, "-static")), "neither the executable nor a library of it has Go build info"},
	} {
		t.Run(name, func(t *testing.T) {
			proc, lines := testprog.Start(t, tt.exe)
			if !lines.Scan() {
				t.Fatal("nothing from the program")
			}
			_, err := readInfo(proc.Pid)
			if !errors.Is(err, ErrNotGo) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("Read = %v, want %q", err, tt.reason)
			}
		})
	}
}

func TestReadGone(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "exit 0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// WNOWAIT: it has ended and stays a zombie.
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	p, err := openProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := readInfo(cmd.Process.Pid); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("zombie: Read = %v", err)
	}
	cmd.Wait()
	if _, err := readInfo(cmd.Process.Pid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no process: Read = %v", err)
	}
	for _, pid := range []int{0, -1, 1 << 30} {
		if _, err := readInfo(pid); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("readInfo(%d) = %v", pid, err)
		}
	}
	if _, err := p.exeLink(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("ended while open: exeLink = %v", err)
	}
	if _, err := p.read("auxv"); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("ended while open: auxv = %v", err)
	}
}

// TestEntryDuringExec: a process that is just executing a program has an empty auxiliary vector for
// a moment.
func TestEntryDuringExec(t *testing.T) {
	dir := t.TempDir()
	auxv := filepath.Join(dir, "auxv")
	entryAt := func(b []byte) (uint64, error) {
		if err := errors.Join(os.WriteFile(auxv, b, 0o644), os.Symlink("/bin/true", filepath.Join(dir, "exe"))); err != nil &&
			!errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		d, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		p := &process{pid: 1, dir: d}
		defer p.Close()
		return p.entry()
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		_ = os.WriteFile(auxv+".new", []byte{9, 15: 0, 8: 0x34, 9: 0x12}, 0o644)
		_ = os.Rename(auxv+".new", auxv)
	}()
	if entry, err := entryAt(make([]byte, 16)); err != nil || entry != 0x1234 {
		t.Errorf("entry %#x, %v", entry, err)
	}
	begun := time.Now()
	if entry, err := entryAt([]byte{6, 15: 0}); err == nil || time.Since(begun) < execTime {
		t.Errorf("an entry %#x, %v after %v", entry, err, time.Since(begun))
	}
}

// asUser runs f on a thread with the user id nobody and, of all capabilities, the given ones; the
// thread ends with it.
func asUser(t *testing.T, caps uint32, f func()) {
	t.Helper()
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		// The raw call changes this thread alone; the real user id stays, and with it the permitted
		// capabilities.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); errno != 0 {
			t.Error(errno)
			return
		}
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&header, &data[0]); err != nil {
			t.Error(err)
			return
		}
		data[0].Effective, data[1].Effective = caps, 0
		if err := unix.Capset(&header, &data[0]); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

func TestReadPermission(t *testing.T) {
	if os.Geteuid() != 0 { // process 1 belongs to another user
		checkPermission(t, 1, "CAP_SYS_PTRACE", "exe")
		return
	}
	exe := goBuild(t, testprog.Goroot(t), "")
	if err := os.Chmod(exe, 0o700); err != nil {
		t.Fatal(err)
	}
	proc, want := startAccount(t, exe)
	const ptrace = 1 << unix.CAP_SYS_PTRACE
	asUser(t, 0, func() { checkPermission(t, proc.Pid, "CAP_SYS_PTRACE", "exe") })
	asUser(t, ptrace, func() { checkPermission(t, proc.Pid, "CAP_DAC_READ_SEARCH", "exe") })

	// Everyone may read the file, only the owner memory and auxv: the fields from these are unknown.
	if err := os.Chmod(exe, 0o755); err != nil {
		t.Fatal(err)
	}
	asUser(t, ptrace, func() { checkPartial(t, proc.Pid, want, "GOMAXPROCS") })
	pie, wantPIE := startAccount(t, goBuild(t, testprog.Goroot(t), "", "-buildmode=pie"))
	wantPIE.AsyncPreempt = 0
	asUser(t, ptrace, func() {
		checkPartial(t, pie.Pid, wantPIE, "LoadBias", "AsyncPreempt", "GOMAXPROCS", "LockOSThread", "Sysmon",
			"TemplateThread", "AllM", "M0", "TextStart", "TextEnd")
	})
	asUser(t, ptrace|1<<unix.CAP_DAC_READ_SEARCH, func() {
		if info, err := readInfo(proc.Pid); err != nil || info.AsyncPreempt != want.AsyncPreempt || len(info.Unknown) != 0 {
			t.Errorf("Read with both capabilities = %+v, %v", info, err)
		}
	})
}

// checkPartial reads a process whose memory is refused, and expects the fields unknown for that
// reason and no others.
func checkPartial(t *testing.T, pid int, want account, fields ...string) {
	t.Helper()
	info, err := readInfo(pid)
	if err != nil {
		t.Error(err)
		return
	}
	if info.GoVersion != want.Version || info.AsyncPreempt != want.AsyncPreempt || info.GOMAXPROCS != 0 ||
		info.Stripped || len(info.Unknown) != len(fields) {
		t.Errorf("got %+v", *info)
	}
	for _, field := range fields {
		var perm *PermissionError
		if !errors.As(info.Unknown[field], &perm) || perm.Capability != "CAP_DAC_READ_SEARCH" {
			t.Errorf("%s is unknown because: %v", field, info.Unknown[field])
		}
	}
}

func checkPermission(t *testing.T, pid int, capability, name string) {
	t.Helper()
	_, err := readInfo(pid)
	var perm *PermissionError
	if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &perm) || perm.Capability != capability ||
		filepath.Base(perm.Path) != name {
		t.Errorf("Read = %v, want %s for %s", err, capability, name)
	}
}

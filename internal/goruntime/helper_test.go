package goruntime

import (
	"bufio"
	"debug/elf"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An account is what a test program says about itself.
type account struct {
	Version      string `json:"version"`
	GOMAXPROCS   int    `json:"gomaxprocs"`
	AsyncPreempt uint64 `json:"asyncPreempt"`
	CGO          bool   `json:"cgo"`
	Main         uint64 `json:"main"` // run-time addresses of main.main and others
	Hold         uint64 `json:"hold"`
	LockOSThread uint64 `json:"lockOSThread"`
	M0           uint64 `json:"m0"`
	AllM         uint64 `json:"allm"`

	// Of a thread that waits in a system call, locked once to a goroutine that started in main.hold.
	TID       uint64 `json:"tid"`
	ThreadPtr uint64 `json:"threadPtr"`
	G         uint64 `json:"g"`
	Goid      uint64 `json:"goid"`
}

// goBuild builds testdata/account with the Go installation at goroot and returns the file's path.
func goBuild(t *testing.T, goroot, ldflags string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "account")
	goTool := filepath.Join(goroot, "bin", "go")
	cmd := exec.Command(goTool, "tool", "link", "-h")
	cmd.Env = goEnv(goroot)
	if help, _ := cmd.CombinedOutput(); strings.Contains(string(help), "-checklinkname") {
		ldflags += " -checklinkname=0" // since Go 1.27 it forbids assembly, too, to name what is the runtime's
	}
	args = append(append([]string{"build", "-o", out, "-ldflags=" + ldflags}, args...), ".")
	cmd = exec.Command(goTool, args...)
	cmd.Dir = sources(t)
	cmd.Env = goEnv(goroot)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, msg)
	}
	return out
}

func goEnv(goroot string) []string {
	return append(os.Environ(), "GOROOT="+goroot, "GOTOOLCHAIN=local", "GOENV=off", "GOFLAGS=", "GO111MODULE=off", "CGO_ENABLED=1")
}

// sources is the directory of the test program. Outside any module, because old releases can't read this module's go.mod.
func sources(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/account")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// gcc compiles testdata/host/host.c.
func gcc(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "host")
	src, err := os.ReadFile("testdata/host/host.c")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("gcc", "-x", "c", "-o", out, "-", "-ldl")
	cmd.Stdin = strings.NewReader(string(src))
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, msg)
	}
	return out
}

// start runs a program until the test ends and returns its process and its output's lines.
func start(t *testing.T, name string, args ...string) (*os.Process, *bufio.Scanner) {
	t.Helper()
	proc, _, stdout := startPiped(t, name, args...)
	return proc, bufio.NewScanner(stdout)
}

// startPiped is start for programs that are told something, too.
func startPiped(t *testing.T, name string, args ...string) (proc *os.Process, stdin io.WriteCloser, stdout io.Reader) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if stdout, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close() // which the programs wait for
		cmd.Wait()
	})
	return cmd.Process, stdin, stdout
}

// startAccount is start, and the program's account.
func startAccount(t *testing.T, name string, args ...string) (*os.Process, account) {
	t.Helper()
	proc, lines := start(t, name, args...)
	for lines.Scan() {
		var acc account
		if json.Unmarshal(lines.Bytes(), &acc) == nil {
			return proc, acc
		}
	}
	t.Fatalf("%s gave no account of itself: %v", name, lines.Err())
	return nil, account{}
}

// copyFile copies an executable, changed by edit.
func copyFile(t *testing.T, name string, edit func(f *os.File)) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(name))
	dst, err := os.OpenFile(out, os.O_CREATE|os.O_RDWR, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	src, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	edit(dst)
	return out
}

// overwrite changes the bytes at off of a section of an executable.
func overwrite(t *testing.T, f *os.File, section string, off int64, b []byte) {
	t.Helper()
	file, err := elf.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	s := file.Section(section)
	if s == nil {
		t.Fatalf("no section %s", section)
	}
	if _, err := f.WriteAt(b, int64(s.Offset)+off); err != nil {
		t.Fatal(err)
	}
}

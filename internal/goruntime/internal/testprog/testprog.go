// Package testprog builds and runs the Go programs that the tests of goruntime and its rooms read,
// and makes forged ones.
package testprog

import (
	"bufio"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Variant is a way to build a test program, and the properties of the result.
type Variant struct {
	Name        string
	LDFlags     string
	Args        []string
	Race        bool
	PIE, Static bool
	Stripped    bool
}

// Variants are the ways to build a test program. The tag withcgo makes a test program import "C".
var Variants = []Variant{
	{Name: "plain", Static: true},
	{Name: "stripped", LDFlags: "-s -w", Static: true, Stripped: true},
	{Name: "pie", Args: []string{"-buildmode=pie"}, PIE: true},
	{Name: "pie stripped", LDFlags: "-s -w", Args: []string{"-buildmode=pie"}, PIE: true, Stripped: true},
	{Name: "pie external", LDFlags: "-linkmode=external", Args: []string{"-buildmode=pie"}, PIE: true},
	{Name: "pie external stripped", LDFlags: "-linkmode=external -s -w", Args: []string{"-buildmode=pie"},
		PIE: true, Stripped: true},
	{Name: "cgo", Args: []string{"-tags=withcgo"}},
	{Name: "cgo stripped", LDFlags: "-s -w", Args: []string{"-tags=withcgo"}, Stripped: true},
	{Name: "cgo external", LDFlags: "-linkmode=external", Args: []string{"-tags=withcgo"}},
	{Name: "cgo external stripped", LDFlags: "-linkmode=external -s -w", Args: []string{"-tags=withcgo"}, Stripped: true},
	{Name: "cgo static", LDFlags: "-linkmode=external -extldflags=-static", Args: []string{"-tags=withcgo"}, Static: true},
	{Name: "race", Args: []string{"-race"}, Race: true},
	{Name: "race stripped", LDFlags: "-s -w", Args: []string{"-race"}, Race: true, Stripped: true},
}

// Goroots returns the Go installations to test with: those in PINWATCH_GOROOTS, a list like PATH,
// else the installed one.
func Goroots(t testing.TB) []string {
	t.Helper()
	if list := os.Getenv("PINWATCH_GOROOTS"); list != "" {
		return filepath.SplitList(list)
	}
	return []string{Goroot(t)}
}

// Goroot returns the installed Go.
func Goroot(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// Build builds the program in the directory dir with the Go installation at goroot and returns the
// path of the executable. It builds outside any module: old releases cannot read this module's
// go.mod.
func Build(t testing.TB, dir, goroot, ldflags string, args ...string) string {
	t.Helper()
	name, source := filepath.Base(dir), t.TempDir()
	if err := os.CopyFS(source, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	args = append(append([]string{"build", "-o", name, "-ldflags=" + ldflags}, args...), ".")
	cmd := goCommand(goroot, args...)
	cmd.Dir = source
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, msg)
	}
	return filepath.Join(source, name)
}

// LinknameFlag returns the linker's flag that lets a program refer to the runtime's symbols, or "".
// Go 1.27 forbids it to assembly, too, without the flag.
func LinknameFlag(goroot string) string {
	help, _ := goCommand(goroot, "tool", "link", "-h").CombinedOutput() // exits with an error
	if strings.Contains(string(help), "-checklinkname") {
		return " -checklinkname=0"
	}
	return ""
}

func goCommand(goroot string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(goroot, "bin", "go"), args...)
	cmd.Env = append(os.Environ(), "GOROOT="+goroot, "GOTOOLCHAIN=local", "GOENV=off", "GOFLAGS=",
		"GO111MODULE=off", "CGO_ENABLED=1")
	return cmd
}

// Start runs a program until the test ends and returns its process and the lines of its output.
func Start(t testing.TB, name string, args ...string) (*os.Process, *bufio.Scanner) {
	t.Helper()
	proc, _, stdout := StartPiped(t, name, args...)
	return proc, bufio.NewScanner(stdout)
}

// StartPiped is Start for programs that read their input.
func StartPiped(t testing.TB, name string, args ...string) (proc *os.Process, stdin io.WriteCloser, stdout io.Reader) {
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
		stdin.Close() // the programs end with their input
		cmd.Wait()
	})
	return cmd.Process, stdin, stdout
}

// Copy copies an executable and edits the copy.
func Copy(t testing.TB, name string, edit func(f *os.File)) string {
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

// Overwrite changes the bytes at off of a section of an executable.
func Overwrite(t testing.TB, f *os.File, section string, off int64, b []byte) {
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

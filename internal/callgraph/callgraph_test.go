package callgraph

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// chainProgram has a chain of four calls, one of five, and a func value.
const chainProgram = `package main

func main() { a(); five(); apply(inner) }

//go:noinline
func a() { b() }

//go:noinline
func b() { c() }

//go:noinline
func c() { d() }

//go:noinline
func d() { println("d") }

//go:noinline
func five() { a() }

//go:noinline
func inner() { println("inner") }

//go:noinline
func apply(f func()) { f() }
`

func build(t *testing.T, goos, goarch string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": chainProgram, "go.mod": "module chain\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append(append([]string{"build", "-o", "chain"}, flags...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "chain")
}

// Each format shows the same calls of the program, and the functions of its system alone.
func TestPath(t *testing.T) {
	testenv.Require(t, testenv.GoCommand)
	for goos, want := range map[string]struct{ makes, none string }{
		"linux": {"", "pthread_create"}, "windows": {"CreateThread", "pthread_create"},
		"darwin": {"pthread_create", "CreateThread"},
	} {
		p, err := Open(build(t, goos, "amd64"))
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ from, to, want string }{
			{"main.a", "main.d", "main.a main.b main.c main.d"},
			{"main.main", "main.d", "main.main main.a main.b main.c main.d"},
			{"main.d", "main.a", ""},
			{"main.main", "main.inner", "main.main main.inner"},
			{"main.absent", "main.a", ""},
			{"runtime.newosproc", want.none, ""},
		} {
			if got := strings.Join(p.Path(tt.from, tt.to), " "); got != tt.want {
				t.Errorf("%s: from %s to %s by %q, want %q", goos, tt.from, tt.to, got, tt.want)
			}
		}
		if want.makes == "" {
			continue
		}
		path := p.Path("runtime.newosproc", want.makes)
		if len(path) < 2 || path[len(path)-1] != want.makes || p.Has(want.none) {
			t.Errorf("%s: to %s by %q; names %s: %t", goos, want.makes, path, want.none, p.Has(want.none))
		}
		if slices.Contains(path[1:len(path)-1], "") {
			t.Errorf("a nameless function in %q", path)
		}
	}
}

// What can't be read is refused, and never has a path.
func TestBadPrograms(t *testing.T) {
	testenv.Require(t, testenv.GoCommand)
	good, err := os.ReadFile(build(t, "windows", "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "bad")
	for what, text := range map[string][]byte{"empty": {}, "cut": good[:700], "no program": []byte("#!/bin/sh\n")} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if p, err := Open(name); err == nil {
			t.Errorf("%s: %d functions, want an error", what, len(p.functions))
		}
	}
	for _, args := range [][]string{{"windows", "arm64"}, {"darwin", "arm64"}, {"linux", "arm64"},
		{"linux", "amd64", "-ldflags=-s"}} {
		if p, err := Open(build(t, args[0], args[1], args[2:]...)); err == nil && p.Path("main.a", "main.d") != nil {
			t.Errorf("%q: a path, want an error", args)
		} else if err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

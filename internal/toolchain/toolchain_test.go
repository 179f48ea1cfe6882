package toolchain

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The installed release is not downloaded.
func TestInstalledRelease(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	out, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	release := strings.TrimPrefix(strings.TrimSpace(string(out)), "go")
	goroot, err := Fetch(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	version, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil || !strings.HasPrefix(string(version), "go"+release) {
		t.Errorf("%s is %q, %v; want Go %s", goroot, version, err, release)
	}
}

func TestNoSuchRelease(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	if goroot, err := Fetch(t.Context(), "1.2.3"); err == nil || !strings.Contains(err.Error(), "fetch Go 1.2.3: ") {
		t.Errorf("%q, %v", goroot, err)
	}
}

func TestExecutable(t *testing.T) {
	goroot := t.TempDir()
	tool := filepath.Join(goroot, "pkg", "tool", runtime.GOOS, "compile")
	for _, file := range []string{Go(goroot), tool} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing to do
		if err := executable(goroot); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{Go(goroot), tool} {
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o555 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if err := executable(filepath.Join(goroot, "nonesuch")); err == nil {
		t.Error("set the run bits of nothing")
	}
}

func TestEnv(t *testing.T) {
	for _, name := range []string{"GO111MODULE", "GOFLAGS", "GOROOT", "PINWATCH_TEST_KEPT"} {
		t.Setenv(name, "mine")
	}
	env := Env("/go")
	for _, unwanted := range []string{"GO111MODULE=mine", "GOFLAGS=mine", "GOROOT=mine"} {
		if slices.Contains(env, unwanted) {
			t.Errorf("%s is in %v", unwanted, env)
		}
	}
	for _, wanted := range []string{"GOROOT=/go", "GOPROXY=off", "PINWATCH_TEST_KEPT=mine"} {
		if !slices.Contains(env, wanted) {
			t.Errorf("%s is not in %v", wanted, env)
		}
	}
}

// The names of releases, of candidates and of commits, with what runtime.Version adds to them.
func TestShort(t *testing.T) {
	for version, want := range map[string]string{
		"go1.26.8\n":              "go1.26.8",
		"go1.27.0 X:nogreenteagc": "go1.27.0",
		"go1.28rc1":               "go1.28rc1",
		"go1.28-devel_1a2b3c4 Mon Nov 30 10:00:00 2026 +0000": "go1.28-devel_1a2b3c4",
		"devel go1.25-1a2b3c4 Mon Nov 30 10:00:00 2024 +0000": "devel go1.25-1a2b3c4",
		"": "",
	} {
		if got := Short(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}

// A tree that pinwatch can't build with is named with what it lacks.
func TestVersionOfNoTree(t *testing.T) {
	source := t.TempDir()
	if err := os.MkdirAll(filepath.Join(source, "src", "runtime"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(source, "src", "runtime", "proc.go")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{t.TempDir(): "no src/runtime/proc.go", file: "no src/runtime/proc.go",
		filepath.Join(source, "none"): "no src/runtime/proc.go", source: "has been built"} {
		if _, err := Version(t.Context(), dir); !errors.Is(err, ErrNoTree) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", dir, err, want)
		}
	}
}

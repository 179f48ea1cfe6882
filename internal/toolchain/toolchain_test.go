package toolchain

import (
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

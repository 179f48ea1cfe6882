package workbuild

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// The copy is the whole workload as it is on disk, without tests and without what carries the sources along.
func TestCopySources(t *testing.T) {
	dir := t.TempDir()
	if err := CopySources(dir, "1.13.15"); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.HasSuffix(string(mod), "\ngo 1.13\n") {
		t.Errorf("go.mod: %q, %v", mod, err)
	}
	err = fs.WalkDir(os.DirFS("../workload"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		_, statErr := os.Stat(filepath.Join(dir, top, path))
		left := strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "sources_")
		if copied := statErr == nil; copied == left {
			t.Errorf("%s: copied %t", path, copied)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReleases(t *testing.T) {
	for release, want := range map[string]int{"1.13.15": 13, "1.27.0": 27, "1.5": 5} {
		if n, err := Minor(release); n != want || err != nil {
			t.Errorf("%s: %d, %v", release, n, err)
		}
	}
	for _, release := range []string{"", "1", "2.0", "go1.21", "1.x"} {
		if _, err := Minor(release); err == nil {
			t.Errorf("%q passed for a release", release)
		}
	}
}

// A program built from the copy runs; without a C compiler one with C is refused.
func TestBuild(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	release := strings.TrimPrefix(strings.Fields(runtime.Version())[0], "go")
	goroot, err := toolchain.Fetch(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	program, err := Build(t.Context(), t.TempDir(), goroot, release, Command{Name: "workload"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "idle", "-d", "1ms").Output()
	if err != nil || !strings.Contains(string(out), `"go_version":"go`+release) {
		t.Errorf("%v: %s", err, out)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Build(t.Context(), t.TempDir(), goroot, release, Command{Name: "cgoworkload", Cgo: true}); !errors.Is(err, ErrNoCompiler) {
		t.Errorf("without a C compiler: %v", err)
	}
}

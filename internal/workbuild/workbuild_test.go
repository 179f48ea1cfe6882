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

// The copy has every source that is on disk, without tests, without the client, which no workload
// needs, and without the file that embeds the sources.
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
		without := strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "sources_") ||
			strings.HasPrefix(path, "client/")
		if copied := statErr == nil; copied == without {
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

// The oldest supported release builds the workload: its language and its library have all that the
// sources use.
func TestOldestRelease(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	buildAndRun(t, "1.13.15")
}

func buildAndRun(t *testing.T, release string) (goroot string) {
	t.Helper()
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
	return goroot
}

// A program built from the copy runs. Without a C compiler one with C is refused.
func TestBuild(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	release := strings.TrimPrefix(strings.Fields(runtime.Version())[0], "go")
	goroot := buildAndRun(t, release)
	t.Setenv("PATH", t.TempDir())
	_, err := Build(t.Context(), t.TempDir(), goroot, release, Command{Name: "cgoworkload", Cgo: true})
	if !errors.Is(err, ErrNoCompiler) {
		t.Errorf("without a C compiler: %v", err)
	}
}

// A build that fails for every package is told by its begin.
func TestBegin(t *testing.T) {
	if got := begin("a\nb\n"); got != "a\nb" {
		t.Errorf("%q", got)
	}
	if got := begin(strings.Repeat("x\n", 40)); strings.Count(got, "x") != mostLines || !strings.HasSuffix(got,
		"\n… and 34 more lines") {
		t.Errorf("%q", got)
	}
}

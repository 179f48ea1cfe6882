// Package workbuild builds the workloads by any release of Go, from the sources that are embedded
// in this program.
package workbuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/toolchain"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// ErrNoCompiler is the error of a build that needs a C compiler.
var ErrNoCompiler = errors.New("no C compiler on this machine: install gcc")

// Command is a command to build.
type Command struct {
	Name string   // of internal/workload/cmd
	Cgo  bool     // link with C
	Args []string // further arguments of go build
}

// Build builds a command below dir by a release, such as 1.21.13, whose GOROOT is given. It returns
// the program's path.
func Build(ctx context.Context, dir, goroot, release string, c Command) (string, error) {
	if err := CopySources(dir, release); err != nil {
		return "", err
	}
	cgo := "CGO_ENABLED=0"
	if c.Cgo {
		if _, err := exec.LookPath("gcc"); err != nil {
			return "", ErrNoCompiler
		}
		cgo = "CGO_ENABLED=1"
	}
	out := filepath.Join(dir, c.Name)
	args := append(append([]string{"build"}, c.Args...), "-o", out, "./"+top+"/cmd/"+c.Name)
	cmd := exec.CommandContext(ctx, toolchain.Go(goroot), args...)
	cmd.Dir, cmd.Env = dir, append(toolchain.Env(goroot), cgo)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s by Go %s: %w: %s", c.Name, release, err, begin(string(msg)))
	}
	return out, nil
}

// mostLines of a failed build's output are in the error: one cause gives a message for each package.
const mostLines = 6

func begin(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if n := len(lines) - mostLines; n > 0 {
		lines = append(lines[:mostLines], fmt.Sprintf("… and %d more lines", n))
	}
	return strings.Join(lines, "\n")
}

// top is the folder of the sources in the module.
const top = "internal/workload"

// CopySources makes dir a module of the workloads alone, with a go.mod for the release. Old
// releases can't read the go.mod of this module, and the go line of another release would change
// how newer ones behave.
func CopySources(dir, release string) error {
	minor, err := Minor(release)
	if err != nil {
		return err
	}
	err = fs.WalkDir(workload.Sources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || leftOut(path) {
			return err
		}
		data, err := fs.ReadFile(workload.Sources, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, top, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	})
	if err != nil {
		return fmt.Errorf("copy the workload: %w", err)
	}
	mod := fmt.Sprintf("module github.com/pinwatch/pinwatch\n\ngo 1.%d\n", minor)
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644)
}

// leftOut reports whether a source is left out of the copy: a test, or the file that embeds the
// sources.
func leftOut(path string) bool {
	return strings.HasSuffix(path, "_test.go") || path == "sources_go116.go"
}

// Minor is 21 for 1.21.13.
func Minor(release string) (int, error) {
	parts := strings.Split(release, ".")
	if len(parts) < 2 || parts[0] != "1" {
		return 0, fmt.Errorf("release %q of Go: want one like 1.21.13", release)
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0, fmt.Errorf("release %q of Go: %w", release, err)
	}
	return minor, nil
}

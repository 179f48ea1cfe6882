package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/pinwatch/pinwatch/scripts/toolchain"
)

// releases of Go that pinwatch supports, oldest first.
var releases = []string{
	"1.13.15", "1.14.15", "1.16.15", "1.18.10", "1.20.14", "1.21.13",
	"1.22.12", "1.23.12", "1.24.0", "1.25.0", "1.26.8", "1.27.0",
}

// The rows of the short matrix: a release that passes arguments on the stack, one from the middle, the newest.
var (
	shortReleases = []string{"1.16.15", "1.21.13", releases[len(releases)-1]}
	shortForms    = []string{"plain", "stripped"}
)

// form is a way to build.
type form struct {
	name    string
	command string // of internal/workload/cmd
	args    []string
	cgo     func(minor int) bool // whether Go 1.minor takes a C compiler
}

func never(int) bool  { return false }
func always(int) bool { return true }

var forms = []form{
	{"plain", "workload", nil, never},
	{"stripped", "workload", []string{"-ldflags=-s -w"}, never},
	{"pie", "workload", []string{"-buildmode=pie"}, func(minor int) bool { return minor < 15 }}, // no internal linking before
	{"cgo", "cgoworkload", nil, always},
}

// build is one row of the matrix.
type build struct {
	release string
	form    form
	path    string // of the program
	err     error  // why there is none
}

func (b *build) name() string { return b.release + "/" + b.form.name }

// errNoCompiler is why a build that needs one was left out.
var errNoCompiler = errors.New("no C compiler on this machine")

// buildAll builds the workload for every row, releases in parallel, below dir.
func buildAll(dir string, rows []*build) {
	byRelease := map[string][]*build{}
	for _, b := range rows {
		byRelease[b.release] = append(byRelease[b.release], b)
	}
	slots := make(chan struct{}, 2) // the go command is parallel enough in itself
	var all sync.WaitGroup
	for release, builds := range byRelease {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			buildRelease(filepath.Join(dir, release), release, builds)
		})
	}
	all.Wait()
}

func buildRelease(dir, release string, builds []*build) {
	goroot, err := toolchain.Fetch(release)
	if err == nil {
		err = copySources(dir, release)
	}
	for _, b := range builds {
		if err != nil {
			b.err = err
			continue
		}
		b.path, b.err = b.run(dir, goroot)
	}
}

// run builds one row in dir, which holds the sources.
func (b *build) run(dir, goroot string) (string, error) {
	minor, err := minorOf(b.release)
	if err != nil {
		return "", err
	}
	cgo := "CGO_ENABLED=0"
	if b.form.cgo(minor) {
		if _, err := exec.LookPath("gcc"); err != nil {
			return "", errNoCompiler
		}
		cgo = "CGO_ENABLED=1"
	}
	out := filepath.Join(dir, b.form.name)
	args := append(append([]string{"build"}, b.form.args...), "-o", out, "./internal/workload/cmd/"+b.form.command)
	cmd := exec.Command(toolchain.Go(goroot), args...)
	cmd.Dir, cmd.Env = dir, append(toolchain.Env(goroot), cgo)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, strings.TrimSpace(string(msg)))
	}
	return out, nil
}

// copySources makes dir a module of the workload alone, as if written for the release: this module's go.mod is beyond old ones,
// and a go line of another release's would change how newer ones behave.
func copySources(dir, release string) error {
	minor, err := minorOf(release)
	if err != nil {
		return err
	}
	const top = "internal/workload"
	err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, path)
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

// minorOf is 21 for 1.21.13.
func minorOf(release string) (int, error) {
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

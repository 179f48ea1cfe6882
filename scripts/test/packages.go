package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const module = "github.com/pinwatch/pinwatch"

// packages are those of this module that have tests.
type packages struct {
	pure       []string // their tests count no events of the kernel, so they may run in parallel
	kernel     []string // their tests load BPF programs or read the kernel's own events, of which others would make more
	concurrent []string // those of pure that start goroutines
}

// goPackage is what go list -test -json prints of a package, and of a test binary, PACKAGE.test.
type goPackage struct {
	ImportPath, Dir string
	GoFiles, Deps   []string
}

// goStatement finds files that start goroutines.
var goStatement = regexp.MustCompile(`(?m)^\s*go (func|[\w.]+)\(|\.Go\(func`)

func listPackages(ctx context.Context) (p packages, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-test", "-pgo=off", "-json=ImportPath,Dir,GoFiles,Deps", "./...").Output()
	if err != nil {
		return p, fmt.Errorf("go list: %w", err)
	}
	all := map[string]goPackage{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var g goPackage
		if err := d.Decode(&g); err != nil {
			return p, fmt.Errorf("read go list: %w", err)
		}
		all[g.ImportPath] = g
	}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		tests, ok := all[path+".test"]
		if !ok {
			continue
		}
		if slices.ContainsFunc(tests.Deps, countsEvents) || countsEvents(path) {
			p.kernel = append(p.kernel, path)
			continue
		}
		p.pure = append(p.pure, path)
		if concurrent, err := all[path].startsGoroutines(); err != nil {
			return p, err
		} else if concurrent {
			p.concurrent = append(p.concurrent, path)
		}
	}
	return p, nil
}

// countsEvents is true for a package that loads BPF programs or reads the kernel's own events: a test binary that holds one may
// not run beside another.
func countsEvents(path string) bool {
	path, _, _ = strings.Cut(path, " ") // of "loader [loader.test]"
	return path == module+"/loader" || path == module+"/internal/testenv/witness"
}

// startsGoroutines reads the package's product files.
func (g goPackage) startsGoroutines() (bool, error) {
	for _, name := range g.GoFiles {
		text, err := os.ReadFile(filepath.Join(g.Dir, name))
		if err != nil {
			return false, err
		}
		if goStatement.Match(text) {
			return true, nil
		}
	}
	return false, nil
}

// canRace is whether the race detector can be built here: it needs cgo and a C compiler.
func canRace(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED", "CC").Output()
	enabled, cc, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	_, missing := exec.LookPath(cc)
	return err == nil && enabled == "1" && missing == nil
}

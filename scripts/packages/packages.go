// Package packages sorts the packages of this module that have tests by how their tests may run.
package packages

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

// Module is this module's path.
const Module = "github.com/pinwatch/pinwatch"

// Package is a package with tests.
type Package struct {
	Path     string // of import
	Loader   bool   // its tests are linked with the loader
	LoadsBPF bool   // and some of them require testenv.BPF, and nothing that a guest of the kernel matrix lacks

	// Kernel is set when its tests load BPF programs or read the kernel's events. No two such packages
	// may run at once.
	Kernel bool

	Concurrent bool // its product files start goroutines
}

// goPackage holds fields of go list -test -json for a package, or for a test binary, PACKAGE.test.
type goPackage struct {
	ImportPath, Dir                          string
	GoFiles, TestGoFiles, XTestGoFiles, Deps []string
}

// List returns the packages by path. It wants to run in the module.
func List(ctx context.Context) ([]Package, error) {
	const fields = "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Deps"
	cmd := exec.CommandContext(ctx, "go", "list", "-test", "-pgo=off", fields, Module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	all := map[string]goPackage{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var g goPackage
		if err := d.Decode(&g); err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		all[g.ImportPath] = g
	}
	var list []Package
	for _, path := range slices.Sorted(maps.Keys(all)) {
		tests, ok := all[path+".test"]
		if !ok {
			continue
		}
		p := Package{Path: path, Loader: tests.holds("loader")}
		g := all[path]
		if p.LoadsBPF, err = g.matches(requiresBPF, append(g.TestGoFiles, g.XTestGoFiles...)); err != nil {
			return nil, err
		}
		p.Kernel = p.LoadsBPF || tests.holds("internal/testenv/witness") || path == Module+"/internal/testenv"
		p.LoadsBPF = p.LoadsBPF && p.Loader // else they start a pinwatch that they build, which takes the go command
		if p.Concurrent, err = g.matches(goStatement, g.GoFiles); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// holds is whether a test binary is linked with a package of this module, or with its variant for
// the test.
func (g goPackage) holds(name string) bool {
	return slices.ContainsFunc(g.Deps, func(dep string) bool {
		path, _, _ := strings.Cut(dep, " ")
		return path == Module+"/"+name
	})
}

var (
	// goStatement matches what starts a goroutine.
	goStatement = regexp.MustCompile(`(?m)^\s*go (func|[\w.]+)\(|\.Go\(func`)
	// requiresBPF matches what every test calls that loads BPF programs.
	requiresBPF = regexp.MustCompile(`testenv\.Require\(.*testenv\.BPF`)
)

// matches reports whether one of the package's files holds a match.
func (g goPackage) matches(what *regexp.Regexp, files []string) (bool, error) {
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(g.Dir, name))
		if err != nil {
			return false, err
		}
		if what.Match(text) {
			return true, nil
		}
	}
	return false, nil
}

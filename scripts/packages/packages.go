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
	LoadsBPF bool   // its tests are linked with the loader

	// Kernel is set when its tests load BPF programs or read the kernel's events. No two such packages
	// may run at once.
	Kernel bool

	Concurrent bool // its product files start goroutines
}

// goPackage holds fields of go list -test -json for a package, or for a test binary, PACKAGE.test.
type goPackage struct {
	ImportPath, Dir string
	GoFiles, Deps   []string
}

// List returns the packages by path. It wants to run in the module.
func List(ctx context.Context) ([]Package, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-test", "-pgo=off", "-json=ImportPath,Dir,GoFiles,Deps", Module+"/...")
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
		p := Package{Path: path, LoadsBPF: tests.holds("loader")}
		p.Kernel = p.LoadsBPF || tests.holds("internal/testenv/witness") || path == Module+"/internal/testenv"
		if p.Concurrent, err = all[path].startsGoroutines(); err != nil {
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

// goStatement matches what starts a goroutine.
var goStatement = regexp.MustCompile(`(?m)^\s*go (func|[\w.]+)\(|\.Go\(func`)

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

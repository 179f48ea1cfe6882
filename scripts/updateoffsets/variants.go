package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// checkVariants computes the offsets from the source of the runtime, with the compiler's layout of
// structs. They must be want, also when a build tag or an experiment is switched: the table has no
// column for these.
func checkVariants(goroot, arch string, r offsets.Release, want offsets.Offsets) error {
	base, err := toolTags(goroot, arch, r)
	if err != nil {
		return err
	}
	for name, tags := range variants(goroot, base) {
		got, err := sourceOffsets(goroot, arch, r, tags)
		if err != nil {
			return fmt.Errorf("offsets from source, %s: %w", name, err)
		}
		if *got != want {
			return fmt.Errorf("offsets from source, %s: %+v, from DWARF: %+v", name, *got, want)
		}
	}
	return nil
}

// variants returns sets of build tags by name. base holds the tags of an ordinary build. Every
// other set differs in one tag.
func variants(goroot string, base []string) map[string][]string {
	sets := map[string][]string{"ordinary build": base}
	tags := []string{"race", "msan", "asan", "goexperiment.staticlockranking"} // the last since Go 1.15
	files, _ := filepath.Glob(filepath.Join(goroot, "src/internal/goexperiment/exp_*_on.go"))
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "exp_"), "_on.go")
		tags = append(tags, "goexperiment."+name)
	}
	for _, tag := range tags {
		if slices.Contains(base, tag) {
			sets["without "+tag] = slices.DeleteFunc(slices.Clone(base), func(t string) bool { return t == tag })
		} else {
			sets["with "+tag] = append(slices.Clone(base), tag)
		}
	}
	return sets
}

// toolTags returns the experiments that are on by default, as build tags. These are new in Go 1.17.
func toolTags(goroot, arch string, r offsets.Release) ([]string, error) {
	if r.Minor < 17 {
		return nil, nil
	}
	cmd := exec.Command(toolchain.Go(goroot), "list", "-f", `{{join context.ToolTags " "}}`, "runtime")
	cmd.Env = environ(goroot, arch)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list tool tags: %w", err)
	}
	return strings.Fields(string(out)), nil
}

// sourceOffsets type-checks package runtime with the build tags and returns the offsets in the
// layout of its structs.
func sourceOffsets(goroot, arch string, r offsets.Release, tags []string) (*offsets.Offsets, error) {
	ctx := build.Default
	ctx.GOROOT, ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled, ctx.BuildTags, ctx.ToolTags = goroot, "linux", arch, true, tags, nil
	ctx.ReleaseTags = nil
	for minor := 1; minor <= r.Minor; minor++ {
		ctx.ReleaseTags = append(ctx.ReleaseTags, fmt.Sprintf("go1.%d", minor))
	}
	sizes := types.SizesFor("gc", arch)
	src := &sourceImporter{ctx: &ctx, sizes: sizes, files: token.NewFileSet(), done: make(map[string]*types.Package)}
	pkg, err := src.Import("runtime")
	if err != nil {
		return nil, err
	}
	return offsets.Collect(func(owner, field string) (int64, bool) {
		object := pkg.Scope().Lookup(owner)
		if object == nil {
			return 0, false
		}
		layout, ok := object.Type().Underlying().(*types.Struct)
		if !ok {
			return 0, false
		}
		members := slices.Collect(layout.Fields())
		i := slices.IndexFunc(members, func(v *types.Var) bool { return v.Name() == field })
		if i < 0 {
			return 0, false
		}
		return sizes.Offsetsof(members)[i], true
	})
}

// A sourceImporter imports packages of the standard library from source, without the bodies of
// their functions.
type sourceImporter struct {
	ctx   *build.Context
	sizes types.Sizes
	files *token.FileSet
	done  map[string]*types.Package
}

// Import imports the package at a path below GOROOT/src.
func (s *sourceImporter) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if pkg := s.done[path]; pkg != nil {
		return pkg, nil
	}
	dir := filepath.Join(s.ctx.GOROOT, "src", path)
	found, err := s.ctx.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	var parsed []*ast.File
	for _, name := range found.GoFiles {
		file, err := parser.ParseFile(s.files, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, file)
	}
	// Old sources break newer rules, so errors are ignored. A field that is missed for that reason
	// differs from DWARF.
	config := types.Config{Importer: s, Sizes: s.sizes, IgnoreFuncBodies: true, Error: func(error) {}}
	pkg, _ := config.Check(path, s.files, parsed, nil)
	s.done[path] = pkg
	return pkg, nil
}

package verify

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/gosource"
	"github.com/pinwatch/pinwatch/internal/toolchain"
	"github.com/pinwatch/pinwatch/internal/workbuild"
	"github.com/pinwatch/pinwatch/loader"
)

// Options are the workloads that a lab has, and how it runs them.
type Options struct {
	Builtin []string // the command line that starts a workload which is built into the caller
	Release string   // of Go, builds them instead, without the go in front; "" = built in
	Goroot  string   // a Go tree that builds them instead; "" = none
	CPUs    []int    // that they are confined to; nil = any
	Environ []string // their environment
}

// NewLab prepares a lab. remove removes what the lab builds.
func NewLab(ctx context.Context, o Options) (lab *Lab, remove func(), err error) {
	b := &builder{}
	if err := b.makeDir(); err != nil { // else all that needs it would be inconclusive, minutes later
		return nil, nil, fmt.Errorf("make a folder for the workloads (TMPDIR is %s): %w", os.TempDir(), err)
	}
	lab = b.lab(o)
	lab.Unobserved = unobservable()
	switch {
	case o.Goroot != "":
		lab.GoVersion, err = toolchain.Version(ctx, o.Goroot)
	case o.Release != "":
		lab.GoVersion = "go" + o.Release
	default:
		return lab, b.remove, nil
	}
	if err == nil {
		lab.Program, err = b.own(ctx, lab, workbuild.Command{Name: "workload"})
	}
	if err != nil {
		b.remove()
		return nil, nil, err
	}
	return lab, b.remove, nil
}

// lab is a lab with the built-in workloads, which builds others when they are needed.
func (b *builder) lab(o Options) *Lab {
	lab := &Lab{GoVersion: BuiltinRelease(), Program: o.Builtin, Environ: o.Environ, CPUs: o.CPUs, Control: b.control}
	lab.Release = func(ctx context.Context, release string) ([]string, error) {
		if program := os.Getenv(oldWorkload); program != "" {
			return prebuilt(oldWorkload, program, "go"+release)
		}
		goroot, err := toolchain.Fetch(ctx, release)
		if err != nil {
			return nil, err
		}
		return b.build(ctx, goroot, release, workbuild.Command{Name: "workload"})
	}
	lab.Goroot = func(ctx context.Context) (string, error) {
		if o.Goroot != "" {
			return o.Goroot, nil
		}
		return toolchain.Fetch(ctx, strings.TrimPrefix(lab.GoVersion, "go"))
	}
	lab.Source = func(ctx context.Context) (*gosource.Tree, error) {
		goroot, err := lab.Goroot(ctx)
		if err != nil {
			return nil, err
		}
		return gosource.Open(goroot)
	}
	lab.Cgo = func(ctx context.Context) ([]string, error) {
		if program := os.Getenv(cgoWorkload); program != "" {
			return prebuilt(cgoWorkload, program, lab.GoVersion)
		}
		return b.own(ctx, lab, workbuild.Command{Name: "cgoworkload", Cgo: true})
	}
	return lab
}

// own builds a workload by the lab's release.
func (b *builder) own(ctx context.Context, lab *Lab, c workbuild.Command) ([]string, error) {
	goroot, err := lab.Goroot(ctx)
	if err != nil {
		return nil, err
	}
	minor, ok := contract.Minor(lab.GoVersion)
	if !ok {
		return nil, fmt.Errorf("build %s: %q is no release of Go", c.Name, lab.GoVersion)
	}
	return b.build(ctx, goroot, fmt.Sprintf("1.%d", minor), c)
}

// BuiltinRelease is the release of Go that built this program, and so its built-in workloads.
func BuiltinRelease() string { return toolchain.Short(runtime.Version()) }

// Variables that name workloads which have been built already: one with C, and one by another
// release of Go. Machines without a compiler need them, such as the guests of the kernel matrix.
const (
	cgoWorkload = "PINWATCH_CGO_WORKLOAD"
	oldWorkload = "PINWATCH_OLD_WORKLOAD"
)

// prebuilt is the command line of such a program. It must be of the release that is needed.
func prebuilt(variable, program, version string) ([]string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	if info.GoVersion != version {
		return nil, fmt.Errorf("%s: %s was built by %s; %s is needed", variable, program, info.GoVersion, version)
	}
	return []string{program}, nil
}

// builder builds workloads into a directory of its own, each once.
type builder struct{ dir string } // "" = nothing is built yet

func (b *builder) build(ctx context.Context, goroot, release string, c workbuild.Command) (argv []string, err error) {
	if err := b.makeDir(); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, release, c.Name)
	program := filepath.Join(dir, c.Name)
	if _, err := os.Stat(program); err == nil {
		return []string{program}, nil
	}
	program, err = workbuild.Build(ctx, dir, goroot, release, c)
	return []string{program}, err
}

func (b *builder) makeDir() (err error) {
	if b.dir == "" {
		b.dir, err = os.MkdirTemp("", "pinwatch-verify-*")
	}
	return err
}

func (b *builder) remove() {
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}

// unobservable is why this machine gives no kernel events; "" when it does.
func unobservable() string {
	checks := loader.Diagnose()
	if whole := checks[len(checks)-1]; whole.State != loader.Yes { // the last check observes for real
		return "needs kernel events, which this machine does not give: " +
			strings.Join(strings.Fields(whole.Detail), " ")
	}
	return ""
}

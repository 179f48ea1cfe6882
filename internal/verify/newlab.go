package verify

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pinwatch/pinwatch/internal/toolchain"
	"github.com/pinwatch/pinwatch/internal/workbuild"
	"github.com/pinwatch/pinwatch/loader"
)

// NewLab prepares the workloads of a release of Go, without the go in front. "" means those built
// into the caller: builtin is the command line that starts one. remove removes what the lab builds.
func NewLab(ctx context.Context, builtin []string, release string, cpus []int) (lab *Lab, remove func(), err error) {
	b := &builder{}
	lab = b.lab(builtin, cpus)
	lab.Unobserved = unobservable()
	if release != "" {
		lab.GoVersion = "go" + release
		if lab.Program, err = lab.Release(ctx, release); err != nil {
			b.remove()
			return nil, nil, err
		}
	}
	return lab, b.remove, nil
}

// lab is a lab with the built-in workloads, which builds others when they are needed.
func (b *builder) lab(builtin []string, cpus []int) *Lab {
	lab := &Lab{GoVersion: BuiltinRelease(), Program: builtin, CPUs: cpus, Control: b.control}
	lab.Release = func(ctx context.Context, release string) ([]string, error) {
		return b.build(ctx, release, workbuild.Command{Name: "workload"})
	}
	lab.Cgo = func(ctx context.Context) ([]string, error) {
		if program := os.Getenv(cgoWorkload); program != "" {
			return prebuilt(program, lab.GoVersion)
		}
		return b.build(ctx, strings.TrimPrefix(lab.GoVersion, "go"), workbuild.Command{Name: "cgoworkload", Cgo: true})
	}
	return lab
}

// BuiltinRelease is the release of Go that built this program, and so its built-in workloads.
func BuiltinRelease() string { return strings.Fields(runtime.Version())[0] }

// cgoWorkload names a workload with C that has been built already. Machines without a compiler need
// it, such as the guests of the kernel matrix.
const cgoWorkload = "PINWATCH_CGO_WORKLOAD"

// prebuilt is the command line of such a program. It must be of the release that the verdicts are
// about.
func prebuilt(program, version string) ([]string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cgoWorkload, err)
	}
	if info.GoVersion != version {
		return nil, fmt.Errorf("%s: %s was built by %s, the other workloads by %s",
			cgoWorkload, program, info.GoVersion, version)
	}
	return []string{program}, nil
}

// builder builds workloads into a directory of its own, each once.
type builder struct{ dir string } // "" = nothing is built yet

func (b *builder) build(ctx context.Context, release string, c workbuild.Command) (argv []string, err error) {
	if err := b.makeDir(); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, release, c.Name)
	program := filepath.Join(dir, c.Name)
	if _, err := os.Stat(program); err == nil {
		return []string{program}, nil
	}
	goroot, err := toolchain.Fetch(ctx, release)
	if err != nil {
		return nil, err
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

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/scripts/matrix/plan"
	"github.com/pinwatch/pinwatch/scripts/packages"
)

const (
	testTimeout = 840 * time.Second // for one package; guests are ten times slower than the machine they run on
	toolTimeout = 2 * time.Minute   // for one pinwatch command
)

//go:embed hostonly.txt
var hostOnlyText string

// hostOnlyTests are expressions for tests that guests leave out; hostonly.txt gives the reasons.
func hostOnlyTests() (words string) {
	for line := range strings.Lines(hostOnlyText) {
		line, _, _ = strings.Cut(line, "#")
		words += line + " "
	}
	return words
}

// guestFile is a file of the initramfs and its source.
type guestFile struct {
	name string // in the guest, without leading slash
	from string // on this machine
}

// build compiles one static binary into dir and returns it as bin/NAME; args are the go command's.
func build(arch, dir, name string, args ...string) (guestFile, error) {
	return buildWith([]string{"CGO_ENABLED=0"}, arch, dir, name, args...)
}

// crossCompilers are Debian's names of C compilers for architectures that this machine need not have.
var crossCompilers = map[string]string{"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}

// compiler is the C compiler for an architecture; "" = this machine has none.
func compiler(arch string) string {
	name := "gcc"
	if arch != runtime.GOARCH {
		name = crossCompilers[arch]
	}
	if _, err := exec.LookPath(name); err != nil {
		return ""
	}
	return name
}

// cgoWorkload builds the workload that is linked with C, statically: guests have no C library and no
// compiler. There is none where this machine has no compiler for them.
func cgoWorkload(arch, dir string) ([]guestFile, error) {
	cc := compiler(arch)
	if cc == "" {
		return nil, nil
	}
	f, err := buildWith([]string{"CGO_ENABLED=1", "CC=" + cc}, arch, dir, "cgoworkload",
		"build", "-ldflags=-linkmode=external -extldflags=-static", "./internal/workload/cmd/cgoworkload")
	return []guestFile{f}, err
}

func buildWith(env []string, arch, dir, name string, args ...string) (guestFile, error) {
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", append(append(args[:1:1], "-o", out), args[1:]...)...)
	cmd.Env = append(append(os.Environ(), env...), "GOOS=linux", "GOARCH="+arch)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return guestFile{}, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(string(msg)))
	}
	// `go test -c` succeeds without writing anything when the package has no test files.
	if _, err := os.Stat(out); err != nil {
		return guestFile{}, fmt.Errorf("go %s: no binary: has the package tests?", strings.Join(args, " "))
	}
	return guestFile{"bin/" + name, out}, nil
}

// threadsInC builds the C program of the tests in internal/truth: guests have no compiler. Its path
// is empty where this machine has none for their architecture.
func threadsInC(arch, dir string) (guestFile, error) {
	cc := compiler(arch)
	if cc == "" {
		return guestFile{}, nil
	}
	out := filepath.Join(dir, "cthreads")
	const source = "internal/truth/testdata/threads.c"
	msg, err := exec.Command(cc, "-O1", "-static", "-pthread", "-o", out, source).CombinedOutput()
	if err != nil {
		return guestFile{}, fmt.Errorf("%s: %w\n%s", cc, err, strings.TrimSpace(string(msg)))
	}
	return guestFile{"bin/cthreads", out}, nil
}

// kernelPackages are the packages whose tests load BPF programs, relative to the top of the tree.
func kernelPackages(ctx context.Context) (names []string, err error) {
	all, err := packages.List(ctx)
	for _, p := range all {
		if p.LoadsBPF {
			names = append(names, "./"+strings.TrimPrefix(p.Path, packages.Module+"/"))
		}
	}
	return names, err
}

// suite compiles everything that the matrix runs by default: the packages' tests, then pinwatch as
// its users call it.
func suite(ctx context.Context, o options, dir string) (files []guestFile, steps []plan.Step, err error) {
	tested := strings.Fields(o.packages)
	if len(tested) == 0 {
		if tested, err = kernelPackages(ctx); err != nil {
			return nil, nil, err
		}
	}
	for _, p := range tested {
		name := path.Base(p) + ".test"
		f, err := build(o.arch, dir, name, "test", "-c", "-pgo=off", p)
		if err != nil {
			return nil, nil, err
		}
		home := "src/" + strings.TrimPrefix(p, "./")
		data, err := testdata(p, home)
		if err != nil {
			return nil, nil, err
		}
		files = append(append(files, f), data...)
		steps = append(steps, plan.Step{
			Name: name, Dir: "/" + home, Timeout: testTimeout,
			Argv: []string{
				name, "-test.v", plan.TestsFlag + o.tests, plan.SkipFlag + anyOf(hostOnlyTests()),
				"-test.timeout=" + (testTimeout - time.Second).String(),
			},
		})
	}
	for _, p := range []string{"./cmd/pinwatch", "./internal/workload/cmd/workload"} {
		f, err := build(o.arch, dir, path.Base(p), "build", "-pgo=off", p)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	c, err := threadsInC(o.arch, dir)
	if err != nil {
		return nil, nil, err
	}
	if c.from != "" {
		files = append(files, c)
	}
	withC, err := cgoWorkload(o.arch, dir)
	if err != nil {
		return nil, nil, err
	}
	return append(files, withC...), append(steps,
		tool(stepDemo, "pinwatch", "demo", "-d", "3s", "-o", "json"),
		tool(stepDoctor, "pinwatch", "doctor", "-o", "json")), nil
}

// tool is a step whose standard output is a document.
func tool(name string, argv ...string) plan.Step {
	return plan.Step{Name: name, Dir: "/tmp", Argv: argv, Timeout: toolTimeout, Document: true}
}

// testdata lists a package's testdata folder for the guest; a package without one is fine.
func testdata(pkg, home string) (files []guestFile, err error) {
	root := filepath.Join(pkg, "testdata")
	if _, err := os.Stat(root); err != nil {
		return nil, nil
	}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(pkg, p)
			files = append(files, guestFile{home + "/" + filepath.ToSlash(rel), p})
		}
		return err
	})
	return files, err
}

// single makes the plan of -run: one command, whose program is a file of this machine if there is
// one of that name, and otherwise one of the suite's.
func single(ctx context.Context, o options, dir string) (files []guestFile, steps []plan.Step, err error) {
	argv := strings.Fields(o.run)
	if len(argv) == 0 {
		return nil, nil, errors.New("-run: no program")
	}
	if info, err := os.Stat(argv[0]); err == nil && info.Mode().IsRegular() {
		name := filepath.Base(argv[0])
		files = []guestFile{{"bin/" + name, argv[0]}}
		argv[0] = name
	} else if files, _, err = suite(ctx, o, dir); err != nil {
		return nil, nil, err
	}
	return files, []plan.Step{{Name: stepRun, Dir: "/tmp", Argv: argv, Timeout: o.timeout}}, nil
}

// writeInitramfs writes the guests' root file system to out.
func writeInitramfs(out string, files []guestFile, steps []plan.Step) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	a := newArchive(f)
	for _, g := range files {
		data, err := os.ReadFile(g.from)
		if err != nil {
			return err
		}
		a.file(g.name, data)
	}
	script, err := json.Marshal(steps)
	if err != nil {
		return err
	}
	a.file(strings.TrimPrefix(plan.Path, "/"), script)
	for _, s := range steps {
		a.folder(strings.TrimPrefix(s.Dir, "/"))
	}
	return a.close()
}

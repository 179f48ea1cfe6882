package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pinwatch/pinwatch/internal/toolchain"
	"github.com/pinwatch/pinwatch/internal/verify"
	"github.com/pinwatch/pinwatch/internal/workbuild"
	"github.com/pinwatch/pinwatch/loader"
)

// lab is where verify does its experiments.
type lab struct {
	verify.Lab
	dir string // of what is built for it; "" = nothing yet
}

// newLab prepares the workloads of a release of Go, "" for those built in.
func newLab(ctx context.Context, release string, cpus []int) (*lab, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start workloads: %w", err)
	}
	l := &lab{Lab: verify.Lab{GoVersion: thisRelease(), Program: []string{self, workloadCommand}, CPUs: cpus, Unobserved: unobservable()}}
	l.Release = func(ctx context.Context, release string) ([]string, error) {
		return l.build(ctx, release, workbuild.Command{Name: "workload"})
	}
	l.Cgo = func(ctx context.Context) ([]string, error) {
		if program := os.Getenv(cgoWorkload); program != "" {
			return prebuilt(program, l.GoVersion)
		}
		of := release
		if of == "" {
			of = strings.TrimPrefix(thisRelease(), "go")
		}
		return l.build(ctx, of, workbuild.Command{Name: "cgoworkload", Cgo: true})
	}
	if release != "" {
		l.GoVersion = "go" + release
		if l.Program, err = l.Release(ctx, release); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// cgoWorkload names a workload with C that has been built already, for machines that have no compiler, such as the guests of the kernel
// matrix.
const cgoWorkload = "PINWATCH_CGO_WORKLOAD"

// prebuilt is the command line of such a program. It must be of the release that the verdicts are about.
func prebuilt(program, version string) ([]string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cgoWorkload, err)
	}
	if info.GoVersion != version {
		return nil, fmt.Errorf("%s: %s was built by %s, the other workloads by %s", cgoWorkload, program, info.GoVersion, version)
	}
	return []string{program}, nil
}

// build builds a workload, once.
func (l *lab) build(ctx context.Context, release string, c workbuild.Command) ([]string, error) {
	if l.dir == "" {
		dir, err := os.MkdirTemp("", "pinwatch-verify-*")
		if err != nil {
			return nil, err
		}
		l.dir = dir
	}
	dir := filepath.Join(l.dir, release, c.Name)
	if program := filepath.Join(dir, c.Name); exists(program) {
		return []string{program}, nil
	}
	goroot, err := toolchain.Fetch(ctx, release)
	if err != nil {
		return nil, err
	}
	program, err := workbuild.Build(ctx, dir, goroot, release, c)
	return []string{program}, err
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (l *lab) close() {
	if l.dir != "" {
		os.RemoveAll(l.dir)
	}
}

// unobservable is why kernel events can't be had here; "" when they can.
func unobservable() string {
	checks := loader.Diagnose()
	if attach := checks[len(checks)-1]; attach.State != loader.Yes { // the whole, at last
		return "needs kernel events, which can't be had here: " + oneLine(errors.New(attach.Detail))
	}
	return ""
}

package main

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/pinwatch/pinwatch/internal/toolchain"
	"github.com/pinwatch/pinwatch/internal/workbuild"
)

// releases of Go that pinwatch supports, oldest first.
var releases = []string{
	"1.13.15", "1.14.15", "1.15.15", "1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14",
	"1.21.13", "1.22.12", "1.23.12", "1.24.0", "1.25.0", "1.26.8", "1.27.0",
}

// The rows of the short matrix: a release that passes arguments on the stack, one from the middle,
// the newest.
var (
	shortReleases = []string{"1.16.15", "1.21.13", releases[len(releases)-1]}
	shortForms    = []string{"plain", "stripped"}
)

// verifiedMinors are the releases, 1.minor, that -verify compares with the statements of the
// specification: the last without preemption by signals and the first with it, those at which the
// runtime changed most since, the newest.
var verifiedMinors = []int{13, 14, 18, 21, 23, 24, 26, 27}

// form is a way to build.
type form struct {
	name    string
	command string // of internal/workload/cmd
	held    string // its program whose threads are held
	args    []string
	cgo     func(minor int) bool // whether Go 1.minor needs a C compiler
}

func never(int) bool  { return false }
func always(int) bool { return true }

var forms = []form{
	{"plain", "workload", "held", nil, never},
	{"stripped", "workload", "held", []string{"-ldflags=-s -w"}, never},
	// Internal linking of PIE came with Go 1.15.
	{"pie", "workload", "held", []string{"-buildmode=pie"}, func(minor int) bool { return minor < 15 }},
	{"cgo", "cgoworkload", "cgoheld", nil, always},
}

// build is one row of the matrix.
type build struct {
	release string
	form    form
	path    string // of the program
	err     error  // the reason when there is no program
}

func (b *build) name() string { return b.release + "/" + b.form.name }

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
	goroot, err := toolchain.Fetch(context.Background(), release)
	for _, b := range builds {
		if err != nil {
			b.err = err
			continue
		}
		b.path, b.err = b.run(dir, goroot)
	}
}

// run builds one row below dir.
func (b *build) run(dir, goroot string) (string, error) {
	minor, err := workbuild.Minor(b.release)
	if err != nil {
		return "", err
	}
	return workbuild.Build(context.Background(), filepath.Join(dir, b.form.name), goroot, b.release,
		workbuild.Command{Name: b.form.command, Cgo: b.form.cgo(minor), Args: b.form.args})
}

// Lint runs every static check of this repository: the import table (rules/imports.txt), the limits
// of sizes, gofmt, go vet for both architectures, staticcheck, errcheck, ineffassign, pinwatch's own
// vet, the forbidden functions, and shellcheck. Run it by make lint, from the top of the tree. Packages can be named;
// without any it checks all.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pinwatch/pinwatch/scripts/lint/rules"
)

func main() {
	packages := os.Args[1:]
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	steps := []struct {
		name string
		run  func(packages []string) error
	}{
		{"imports", func([]string) error { return rules.CheckImports() }},
		{"sizes", sizes},
		{"gofmt", gofmt},
		{"analyzers", analyze},
		{"vet on arm64", vetForARM64},
		{"shellcheck", shellcheck},
	}
	failed := false
	for _, s := range steps {
		if err := s.run(packages); err != nil {
			failed = true
			fmt.Printf("%s: %v\n", s.name, err)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// sourceFiles lists the files of the tree that match, but for testdata.
func sourceFiles(patterns ...string) (files []string, err error) {
	args := append([]string{"ls-files", "-z", "--cached", "--others", "--exclude-standard"}, patterns...)
	out, err := exec.Command("git", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("list source files: %w", err)
	}
	for _, f := range strings.Split(strings.Trim(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(f); err == nil && !strings.Contains(f, "/testdata/") {
			files = append(files, f)
		}
	}
	return files, nil
}

func sizes([]string) error {
	files, err := sourceFiles("*.go", "*.c", "*.h")
	if err != nil {
		return err
	}
	problems, err := rules.CheckSizes(files)
	if len(problems) > 0 {
		err = errors.New(strings.Join(problems, "\n"))
	}
	return err
}

// gofmt lists the files that gofmt would change, in the whole tree.
func gofmt([]string) error {
	files, err := sourceFiles("*.go")
	if err != nil {
		return err
	}
	out, err := exec.Command("gofmt", append([]string{"-l"}, files...)...).CombinedOutput()
	if err == nil && len(out) > 0 {
		err = errors.New("not formatted")
	}
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// shellcheck checks every shell script below scripts and .ci. CI must have it; elsewhere a missing
// one is only reported.
func shellcheck([]string) error {
	var scripts []string
	for _, pattern := range []string{"scripts/*", "scripts/*/*", ".ci/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(text), "#!/usr/bin/env bash\n") {
				scripts = append(scripts, name)
			}
		}
	}
	cmd := exec.Command("shellcheck", scripts...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
		fmt.Println("shellcheck: not installed, so the shell scripts were not checked")
		return nil
	}
	return err
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// program is the source to build: every program has all types of the runtime.
const program = "package main\n\nfunc main() {}\n"

// fetch returns the GOROOT of a release, such as "1.13.15".
func fetch(version string) (string, error) {
	r, ok := offsets.ParseRelease("go" + strings.TrimPrefix(version, "go"))
	if !ok {
		return "", fmt.Errorf("%q is neither a release, such as 1.28.0, nor the path of a GOROOT", version)
	}
	name := strings.TrimPrefix(r.String(), "go")
	if r.Patch == 0 && r.Minor >= 21 { // since Go 1.21 the first release has a patch number
		name += ".0"
	}
	return toolchain.Fetch(context.Background(), name)
}

// releaseOf returns the release installed at goroot.
func releaseOf(goroot string) (offsets.Release, error) {
	text, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		return offsets.Release{}, fmt.Errorf("read the release: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	r, ok := offsets.ParseRelease(string(line))
	if !ok {
		return r, fmt.Errorf("%s: VERSION has %q", goroot, line)
	}
	return r, nil
}

// environ returns the environment in which the go command of a GOROOT builds for an architecture.
func environ(goroot, arch string) []string {
	return append(toolchain.Env(goroot), "GO111MODULE=off", "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
}

// offsetsOf builds the program and reads its DWARF.
func offsetsOf(goroot, arch string) (*offsets.Offsets, error) {
	dir, err := os.MkdirTemp("", "updateoffsets-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, exe := filepath.Join(dir, "main.go"), filepath.Join(dir, "exe")
	if err := os.WriteFile(source, []byte(program), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(toolchain.Go(goroot), "build", "-o", exe, source)
	cmd.Dir, cmd.Env = dir, environ(goroot, arch)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, msg)
	}
	return offsets.FromFile(exe)
}

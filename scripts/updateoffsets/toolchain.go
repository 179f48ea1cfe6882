package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// program is what is built: every program has the whole runtime's types.
const program = "package main\n\nfunc main() {}\n"

// fetch returns the GOROOT of a release, such as "1.13.15", which it gets as the module that go itself gets toolchains as.
func fetch(version string) (string, error) {
	r, ok := goruntime.ParseRelease("go" + strings.TrimPrefix(version, "go"))
	if !ok {
		return "", fmt.Errorf("%q is neither a release, such as 1.28.0, nor a path of a GOROOT", version)
	}
	name := r.String()
	if r.Patch == 0 && r.Minor >= 21 { // since then the first release has a patch number
		name += ".0"
	}
	module := fmt.Sprintf("golang.org/toolchain@v0.0.1-%s.linux-%s", name, runtime.GOARCH)
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = os.TempDir() // outside this module
	out, runErr := cmd.Output()
	var answer struct{ Dir, Error string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return "", fmt.Errorf("fetch %s: %w", name, errors.Join(runErr, err))
	}
	if answer.Error != "" {
		return "", fmt.Errorf("fetch %s: %s", name, answer.Error)
	}
	if runErr != nil {
		return "", fmt.Errorf("fetch %s: %w", name, runErr)
	}
	return answer.Dir, setRunBits(answer.Dir)
}

// setRunBits makes a toolchain's programs executable, which modules can't say; go does the same before it runs one.
func setRunBits(goroot string) error {
	for _, pattern := range []string{"bin/*", "pkg/tool/*/*"} {
		files, err := filepath.Glob(filepath.Join(goroot, pattern))
		if err != nil {
			return err
		}
		for _, file := range files {
			st, err := os.Stat(file)
			if err != nil {
				return err
			}
			if st.Mode()&0o111 == 0o111 {
				continue
			}
			if err := os.Chmod(file, st.Mode()|0o111); err != nil {
				return err
			}
		}
	}
	return nil
}

// releaseOf returns the release installed at goroot.
func releaseOf(goroot string) (goruntime.Release, error) {
	text, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		return goruntime.Release{}, fmt.Errorf("read the release: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	r, ok := goruntime.ParseRelease(string(line))
	if !ok {
		return r, fmt.Errorf("%s: VERSION says %q", goroot, line)
	}
	return r, nil
}

// environ makes the go command of a GOROOT build for an architecture, whatever the caller's own settings are.
func environ(goroot, arch string) []string {
	return append(os.Environ(), "GOROOT="+goroot, "GOTOOLCHAIN=local", "GOENV=off", "GOFLAGS=", "GO111MODULE=off",
		"GOEXPERIMENT=", "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
}

// offsetsOf builds the program and reads its DWARF.
func offsetsOf(goroot, arch string) (*goruntime.Offsets, error) {
	dir, err := os.MkdirTemp("", "update-offsets-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, exe := filepath.Join(dir, "main.go"), filepath.Join(dir, "exe")
	if err := os.WriteFile(source, []byte(program), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(goroot, "bin", "go"), "build", "-o", exe, source)
	cmd.Dir = dir
	cmd.Env = environ(goroot, arch)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, msg)
	}
	return goruntime.DWARFOffsets(exe)
}

// Package toolchain fetches Go releases. They are modules: the go command fetches and verifies them
// as any other module, from GOPROXY into GOMODCACHE.
package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Fetch returns the GOROOT of a release, such as 1.21.13, for this machine's system and
// architecture: the installed one, if that is the same release.
func Fetch(ctx context.Context, release string) (goroot string, err error) {
	if goroot, err = installed(ctx, release); goroot != "" || err != nil {
		return goroot, err
	}
	if goroot, err = download(ctx, release, os.Environ()); err != nil {
		return "", fmt.Errorf("fetch Go %s: %w", release, err)
	}
	if err := executable(goroot); err != nil {
		return "", fmt.Errorf("fetch Go %s: %w", release, err)
	}
	return goroot, nil
}

// Here returns the GOROOT of a release that this machine has: the installed one, or one that has
// been fetched before. It is meant for reading: its programs may not be executable.
func Here(ctx context.Context, release string) (goroot string, err error) {
	if goroot, err = installed(ctx, release); goroot != "" || err != nil {
		return goroot, err
	}
	return download(ctx, release, append(os.Environ(), "GOPROXY=off"))
}

// ErrNoTree is the error for a folder that is not a Go tree, or one that has not been built.
var ErrNoTree = errors.New("no Go tree")

// Version is the release of a Go tree, as Short has it.
func Version(ctx context.Context, goroot string) (string, error) {
	if _, err := os.Stat(filepath.Join(goroot, "src", "runtime", "proc.go")); err != nil {
		return "", fmt.Errorf("%s: %w: it has no src/runtime/proc.go", goroot, ErrNoTree)
	}
	if _, err := os.Stat(Go(goroot)); err != nil {
		return "", fmt.Errorf("%s: %w that has been built: it has no bin/go; src/make.bash builds it", goroot, ErrNoTree)
	}
	cmd := exec.CommandContext(ctx, Go(goroot), "env", "GOVERSION")
	cmd.Env = Env(goroot)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: get its release: %w", goroot, withStderr(err))
	}
	version := Short(string(out))
	if !strings.HasPrefix(strings.TrimPrefix(version, "devel "), "go1.") {
		return "", fmt.Errorf("%s: get its release: bin/go prints %q as GOVERSION", goroot, strings.TrimSpace(string(out)))
	}
	return version, nil
}

// Short is a version of Go without the date of a commit and without experiments: go1.28rc1,
// go1.28-devel_1a2b3c4, and up to Go 1.25 devel go1.25-1a2b3c4 (cmd/dist/build.go, findgoversion).
func Short(version string) string {
	words := strings.Fields(version)
	switch {
	case len(words) == 0:
		return ""
	case len(words) > 1 && words[0] == "devel":
		return words[0] + " " + words[1]
	}
	return words[0]
}

// installed is the GOROOT of the go command on the path; "" = it is another release.
func installed(ctx context.Context, release string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("get the release of the go command: %w", withStderr(err))
	}
	version, goroot, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if Short(version) != "go"+release {
		return "", nil
	}
	return goroot, nil
}

func download(ctx context.Context, release string, environ []string) (string, error) {
	outside, err := os.MkdirTemp("", "toolchain-*") // outside of every module: a download must not change a go.sum
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(outside)
	module := fmt.Sprintf("golang.org/toolchain@v0.0.1-go%s.%s-%s", release, runtime.GOOS, runtime.GOARCH)
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = outside
	cmd.Env = append(environ, "GO111MODULE=on", "GOWORK=off")
	out, err := cmd.Output()
	var got struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &got); jsonErr == nil && got.Error != "" {
		return "", errors.New(got.Error) // it has more details than the exit status
	}
	switch {
	case err != nil:
		return "", withStderr(err)
	case got.Dir == "":
		return "", fmt.Errorf("%s: the go command does not print its folder", module)
	}
	return got.Dir, nil
}

// executable sets the executable bits of a release's programs: files in modules have none.
func executable(goroot string) error {
	for _, dir := range []string{"bin", "pkg/tool"} {
		err := filepath.WalkDir(filepath.Join(goroot, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil || info.Mode()&0o111 != 0 {
				return err
			}
			return os.Chmod(path, info.Mode()|0o111)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Go is the path of the go command of a GOROOT.
func Go(goroot string) string { return filepath.Join(goroot, "bin", "go") }

// Env is the environment for the go command of a GOROOT: that of this process, without variables
// that change what another release does, and without the network. Whether modules are on depends on
// the folder it runs in.
func Env(goroot string) []string {
	var env []string
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "GOROOT", "GOTOOLDIR", "GOTOOLCHAIN", "GOENV", "GOFLAGS", "GOPROXY", "GOWORK", "GO111MODULE", "GOEXPERIMENT",
			"GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOFIPS140", "GODEBUG":
		default:
			env = append(env, v)
		}
	}
	return append(env, "GOROOT="+goroot, "GOTOOLCHAIN=local", "GOENV=off", "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
}

// withStderr adds the stderr of a program that failed.
func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}

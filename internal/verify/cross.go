package verify

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/callgraph"
	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// lockedProgram is built for other systems. It is no .go file, so that the go command does not vet
// it.
//
//go:embed cross/locked.txt
var lockedProgram string

// crossPatience bounds a build and a run for another system.
const crossPatience = 2 * time.Minute

// buildFor builds lockedProgram into a folder, for a system, by the lab's release.
func (r *run) buildFor(dir, goos, goarch string) (program string, err error) {
	goroot, err := r.lab.Goroot(r)
	if err != nil {
		return "", unableError(r.lab.GoVersion + " is not available: " + err.Error())
	}
	minor, ok := contract.Minor(r.lab.GoVersion)
	if !ok {
		return "", fmt.Errorf("%q is no release of Go", r.lab.GoVersion)
	}
	for name, text := range map[string]string{
		"main.go": lockedProgram, "go.mod": fmt.Sprintf("module locked\n\ngo 1.%d\n", minor),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(r, crossPatience)
	defer cancel()
	program = filepath.Join(dir, goos)
	cmd := exec.CommandContext(ctx, toolchain.Go(goroot), "build", "-o", program, ".")
	cmd.Dir = dir
	cmd.Env = append(toolchain.Env(goroot), "GO111MODULE=on", "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build for %s/%s: %w: %s", goos, goarch, err, strings.TrimSpace(string(out)))
	}
	r.Workloads = append(r.Workloads, "GOOS="+goos+" GOARCH="+goarch+" cross/locked.txt")
	return program, nil
}

// chain is a path of calls that the program for a system has: from a function of the runtime to the
// first of some others that it reaches.
type chain struct {
	system, count string
	from          string
	to            []string
}

// chains count, for each system, the paths on which statements rely. preemptM is asked, because
// signalM is compiled into it.
var chains = []chain{
	{"windows", "makes_thread", "runtime.newosproc", []string{"CreateThread"}},
	{"windows", "suspends", "runtime.preemptM", []string{"SuspendThread"}},
	{"windows", "suspends", "runtime.preemptM", []string{"GetThreadContext"}},
	{"windows", "suspends", "runtime.preemptM", []string{"SetThreadContext"}},
	{"darwin", "makes_thread", "runtime.newosproc", []string{"pthread_create", "bsdthread_create"}},
	{"darwin", "signals", "runtime.preemptM", []string{"pthread_kill"}},
	{"freebsd", "binds", "runtime.schedule", []string{"runtime.stoplockedm"}},
	{"freebsd", "binds", "runtime.schedule", []string{"runtime.startlockedm"}},
	{"solaris", "binds", "runtime.schedule", []string{"runtime.stoplockedm"}},
	{"solaris", "binds", "runtime.schedule", []string{"runtime.startlockedm"}},
}

// named are functions that the specification names: whether the name is anywhere in the program.
var named = map[string]string{"windows": "QueueUserAPC", "darwin": "bsdthread_create"}

// called reads from the code of programs that the release builds for other systems which functions
// the runtime reaches there.
func called(r *run) error {
	dir, err := os.MkdirTemp("", "pinwatch-cross-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs := map[string]*callgraph.Program{}
	var paths []string
	for _, c := range chains {
		p := programs[c.system]
		if p == nil {
			name, err := r.buildFor(dir, c.system, "amd64")
			if err != nil {
				return err
			}
			if p, err = callgraph.Open(name); err != nil {
				return err
			}
			programs[c.system] = p
			r.add(c.system+"_built", 1)
			if word := named[c.system]; word != "" {
				r.add(c.system+"_"+word, 0)
				if p.Has(word) {
					r.add(c.system+"_"+word, 1)
				}
			}
		}
		r.add(c.system+"_"+c.count+"_asked", 1)
		r.add(c.system+"_"+c.count, 0)
		for _, to := range c.to {
			if path := p.Path(c.from, to); path != nil {
				r.add(c.system+"_"+c.count, 1)
				paths = append(paths, c.system+": "+strings.ReplaceAll(strings.Join(path, " → "), "runtime.", ""))
				break
			}
		}
	}
	r.Source = "the code of programs built for these systems: " + strings.Join(paths, "; ")
	return nil
}

// wasmLoader runs a program for js/wasm in node.
//
//go:embed cross/run.js
var wasmLoader string

// wasm runs a program for js/wasm, which has one thread, in node.
func wasm(r *run) error {
	r.Source = "what a program for js/wasm prints, run by node"
	node, err := exec.LookPath("node")
	if err != nil {
		return unableError("a program for js/wasm needs node to run")
	}
	dir, err := os.MkdirTemp("", "pinwatch-cross-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := r.buildFor(dir, "js", "wasm")
	if err != nil {
		return err
	}
	loader := filepath.Join(dir, "run.js")
	if err := os.WriteFile(loader, []byte(wasmLoader), 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r, crossPatience)
	defer cancel()
	// The size of the stack is that of Go's own go_js_wasm_exec.
	cmd := exec.CommandContext(ctx, node, "--stack-size=8192", loader, program)
	cmd.Env = r.lab.Environ
	out, err := cmd.CombinedOutput()
	r.add("locked", 1)
	r.add("exits", 1)
	r.add("others_ran", int64(strings.Count(string(out), "others ran")))
	r.add("alive", int64(strings.Count(string(out), "alive")))
	if err != nil {
		return fmt.Errorf("run a program for js/wasm: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

package verify

import (
	"context"
	"debug/macho"
	"debug/pe"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
func (r *run) buildFor(dir, goos, goarch string) (program, goroot string, err error) {
	if goroot, err = r.lab.Goroot(r); err != nil {
		return "", "", unableError(r.lab.GoVersion + " is not available: " + err.Error())
	}
	minor, ok := contract.Minor(r.lab.GoVersion)
	if !ok {
		return "", "", fmt.Errorf("%q is no release of Go", r.lab.GoVersion)
	}
	for name, text := range map[string]string{
		"main.go": lockedProgram, "go.mod": fmt.Sprintf("module locked\n\ngo 1.%d\n", minor),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", "", err
		}
	}
	ctx, cancel := context.WithTimeout(r, crossPatience)
	defer cancel()
	program = filepath.Join(dir, goos)
	cmd := exec.CommandContext(ctx, toolchain.Go(goroot), "build", "-o", program, ".")
	cmd.Dir = dir
	cmd.Env = append(toolchain.Env(goroot), "GO111MODULE=on", "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("build for %s/%s: %w: %s", goos, goarch, err, strings.TrimSpace(string(out)))
	}
	r.Workloads = append(r.Workloads, "GOOS="+goos+" GOARCH="+goarch+" cross/locked.txt")
	return program, goroot, nil
}

// imported reads which functions of the system the runtime imports in programs that the release
// builds for Windows and macOS.
func imported(r *run) error {
	r.Source = "the import tables of programs built for these systems"
	dir, err := os.MkdirTemp("", "pinwatch-cross-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, _, err := r.buildFor(dir, "windows", "amd64")
	if err != nil {
		return err
	}
	exe, err := pe.Open(program)
	if err != nil {
		return fmt.Errorf("read the program for Windows: %w", err)
	}
	defer exe.Close()
	symbols, err := exe.ImportedSymbols() // SuspendThread:kernel32.dll
	if err != nil {
		return fmt.Errorf("read the program for Windows: %w", err)
	}
	for i := range symbols {
		symbols[i], _, _ = strings.Cut(symbols[i], ":")
	}
	r.imports("windows", symbols, "CreateThread", "SuspendThread", "SetThreadContext", "QueueUserAPC")

	if program, _, err = r.buildFor(dir, "darwin", "amd64"); err != nil {
		return err
	}
	mach, err := macho.Open(program)
	if err != nil {
		return fmt.Errorf("read the program for macOS: %w", err)
	}
	defer mach.Close()
	if symbols, err = mach.ImportedSymbols(); err != nil { // _pthread_create
		return fmt.Errorf("read the program for macOS: %w", err)
	}
	for i := range symbols {
		symbols[i] = strings.TrimPrefix(symbols[i], "_")
	}
	r.imports("darwin", symbols, "pthread_create", "pthread_kill", "bsdthread_create")
	return nil
}

// imports counts the functions that a program imports.
func (r *run) imports(system string, symbols []string, functions ...string) {
	r.add(system+"_built", 1)
	for _, f := range functions {
		r.add(system+"_"+f, 0)
		if slices.Contains(symbols, f) {
			r.add(system+"_"+f, 1)
		}
	}
}

// wasmLoaders run a program for js/wasm in node, newest first: the folder moved in Go 1.24, and up
// to Go 1.20 wasm_exec.js ran programs itself.
var wasmLoaders = []string{"lib/wasm/wasm_exec_node.js", "misc/wasm/wasm_exec_node.js", "misc/wasm/wasm_exec.js"}

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
	program, goroot, err := r.buildFor(dir, "js", "wasm")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(wasmLoaders, func(name string) bool {
		_, err := os.Stat(filepath.Join(goroot, name))
		return err == nil
	})
	if i < 0 {
		return unableError("this copy of " + r.lab.GoVersion + " lacks wasm_exec.js, which runs programs for js/wasm")
	}
	ctx, cancel := context.WithTimeout(r, crossPatience)
	defer cancel()
	// The size of the stack is that of Go's own go_js_wasm_exec.
	cmd := exec.CommandContext(ctx, node, "--stack-size=8192", filepath.Join(goroot, wasmLoaders[i]), program)
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

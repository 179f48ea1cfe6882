package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// readersPackages are the packages with tests on programs built by the releases in PINWATCH_GOROOTS:
// what is read of a process's files and memory is compared with the program's own account.
const readersPackages = "./internal/goruntime/..."

// readers runs those tests for each release, and reports whether all pass.
func readers(ctx context.Context, releases []string, stdout, stderr io.Writer) bool {
	passed := true
	for _, release := range releases {
		if ctx.Err() != nil {
			return false
		}
		begun := time.Now()
		if out, err := testReaders(ctx, release); err != nil {
			fmt.Fprintf(stdout, "%s/readers: FAILED: %v\n%s", release, err, out)
			passed = false
			continue
		}
		fmt.Fprintf(stderr, "%s/readers: ok, %.0f s\n", release, time.Since(begun).Seconds())
	}
	return passed
}

func testReaders(ctx context.Context, release string) ([]byte, error) {
	goroot, err := toolchain.Fetch(ctx, release)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-pgo=off", "-vet=off", "-timeout=30m", readersPackages)
	cmd.Env = append(os.Environ(), "PINWATCH_GOROOTS="+goroot)
	return cmd.CombinedOutput()
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// readersPackages are the packages with tests on programs built by each of the Go installations in
// PINWATCH_GOROOTS: what is read of a process's files and memory is compared with the program's own
// account.
const readersPackages = "./internal/goruntime/..."

// readers runs those tests on programs of the releases.
func readers(ctx context.Context, releases []string, stdout, stderr io.Writer) error {
	begun := time.Now()
	var goroots []string
	for _, release := range releases {
		goroot, err := toolchain.Fetch(ctx, release)
		if err != nil {
			return err
		}
		goroots = append(goroots, goroot)
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-pgo=off", "-vet=off", "-timeout=60m", readersPackages)
	cmd.Env = append(os.Environ(), "PINWATCH_GOROOTS="+strings.Join(goroots, string(os.PathListSeparator)))
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(stdout, "\n%s", out)
		return fmt.Errorf("tests of what reads memory: %w", err)
	}
	fmt.Fprintf(stderr, "tests of what reads memory: ok, %.0f s\n", time.Since(begun).Seconds())
	return nil
}

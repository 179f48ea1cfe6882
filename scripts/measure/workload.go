// Package measure is shared by the scripts that measure: they start a workload and an observer,
// read what the kernel counts of both, and put tables into documents.
package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// BuildWorkload builds the workload command below dir and returns its path.
func BuildWorkload(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "workload")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./internal/workload/cmd/workload")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the workload: %w: %s", err, bytes.TrimSpace(out))
	}
	return path, nil
}

// StartWorkload starts the program at path and returns when it is set up. It ends with ctx at the
// latest.
func StartWorkload(ctx context.Context, path string, args ...string) (*client.Process, error) {
	return client.Start(ctx, client.Options{Program: []string{path}}, args...)
}

// Rate is how many operations a second the account has.
func Rate(a *workload.Account) (float64, error) {
	if a.Ops == 0 || a.End <= a.Start {
		return 0, fmt.Errorf("workload %s did nothing in %d ns", a.Name, a.End-a.Start)
	}
	return float64(a.Ops) / (float64(a.End-a.Start) / 1e9), nil
}

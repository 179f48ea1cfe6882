package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

const (
	activity = time.Second      // how long the workload is at work
	rowLimit = 60 * time.Second // for one row, in which anything that hangs is killed
)

// observe runs the program at path as the workload matrix and observes it by pinwatch. The
// observation begins before the activity and ends when all rests, so that account and report are
// about the same.
func observe(ctx context.Context, pinwatch, path string) (*workload.Account, *report, error) {
	ctx, cancel := context.WithTimeout(ctx, rowLimit)
	defer cancel()
	target, err := client.Start(ctx, client.Options{Program: []string{path}}, "matrix", "-hold")
	if err != nil {
		return nil, nil, err
	}
	a, r, err := converse(ctx, target, pinwatch)
	return a, r, errors.Join(err, target.End())
}

// converse observes the target while it acts.
func converse(ctx context.Context, target *client.Process, pinwatch string) (*workload.Account, *report, error) {
	dir, err := os.MkdirTemp("", "gomatrix-*")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	ready := filepath.Join(dir, "ready")
	observer, err := measure.Observe(ctx, []string{pinwatch, "attach", "-p", strconv.Itoa(target.PID),
		"-d", rowLimit.String(), "-o", "json", "--ready-file", ready}, measure.FileThere(ready))
	if err != nil {
		return nil, nil, err
	}
	a, err := act(ctx, target)
	text, observerErr := observer.End()
	if err := errors.Join(err, observerErr); err != nil {
		return nil, nil, err
	}
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, nil, fmt.Errorf("read pinwatch's report: %w", err)
	}
	return a, r, nil
}

// act lets the workload work for a while and returns its account, at rest.
func act(ctx context.Context, target *client.Process) (*workload.Account, error) {
	if err := target.Go(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
	case <-time.After(activity):
	}
	return target.Quiesce()
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

const (
	activity  = time.Second      // how long the workload is at work
	rowLimit  = 60 * time.Second // for one row, in which anything that hangs is killed
	readyPoll = 5 * time.Millisecond
)

// observe runs the program at path as the workload matrix under pinwatch's eyes. The observation begins before the
// activity and ends when all rests, so that account and report are about the same.
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

func converse(ctx context.Context, target *client.Process, pinwatch string) (*workload.Account, *report, error) {
	observer, err := attach(ctx, pinwatch, target.PID)
	if err != nil {
		return nil, nil, err
	}
	a, err := act(ctx, target)
	r, observerErr := observer.end()
	return a, r, errors.Join(err, observerErr)
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

// observer is a running pinwatch attach.
type observer struct {
	cmd            *exec.Cmd
	dir            string // temporary, with the files below
	stdout, stderr bytes.Buffer
	exited         chan error
}

// attach returns once pinwatch sees everything.
func attach(ctx context.Context, pinwatch string, pid int) (*observer, error) {
	dir, err := os.MkdirTemp("", "go-matrix-*")
	if err != nil {
		return nil, err
	}
	o := &observer{dir: dir, exited: make(chan error, 1)}
	ready := filepath.Join(dir, "ready")
	o.cmd = exec.CommandContext(ctx, pinwatch, "attach", "-p", strconv.Itoa(pid), "-d", rowLimit.String(),
		"-o", "json", "--ready-file", ready)
	o.cmd.Stdout, o.cmd.Stderr = &o.stdout, &o.stderr
	if err := o.cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("start pinwatch: %w", err)
	}
	go func() { o.exited <- o.cmd.Wait() }()
	for {
		if _, err := os.Stat(ready); err == nil {
			return o, nil
		}
		select {
		case err := <-o.exited:
			os.RemoveAll(dir)
			return nil, fmt.Errorf("pinwatch attach ended: %w: %s", orElse(err, errors.New("too soon")), o.errors())
		case <-time.After(readyPoll):
		}
	}
}

// end ends the observation, as Ctrl-C does, and returns its report.
func (o *observer) end() (*report, error) {
	defer os.RemoveAll(o.dir)
	_ = o.cmd.Process.Signal(os.Interrupt) // it fails if the process has ended; the next line reports that
	if err := <-o.exited; err != nil {
		return nil, fmt.Errorf("pinwatch attach: %w: %s", err, o.errors())
	}
	r := new(report)
	if err := json.Unmarshal(o.stdout.Bytes(), r); err != nil {
		return nil, fmt.Errorf("read pinwatch's report: %w", err)
	}
	return r, nil
}

func (o *observer) errors() string { return strings.TrimSpace(o.stderr.String()) }

func orElse(err, instead error) error {
	if err == nil {
		return instead
	}
	return err
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
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
	target, err := startTarget(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	a, r, err := converse(ctx, target, pinwatch)
	return a, r, errors.Join(err, target.stop())
}

func converse(ctx context.Context, target *target, pinwatch string) (*workload.Account, *report, error) {
	observer, err := attach(ctx, pinwatch, target.cmd.Process.Pid)
	if err != nil {
		return nil, nil, err
	}
	a, err := target.act(ctx)
	r, observerErr := observer.end()
	return a, r, errors.Join(err, observerErr)
}

// target is a running workload.
type target struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

func startTarget(ctx context.Context, path string) (*target, error) {
	t := &target{cmd: exec.CommandContext(ctx, path, "matrix", "-hold")}
	t.cmd.Stderr = &t.stderr
	var err error
	if t.stdin, err = t.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	stdout, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	t.out = bufio.NewReader(stdout)
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	var ready workload.Ready
	if err := t.read(&ready); err != nil {
		return nil, errors.Join(err, t.stop())
	}
	return t, nil
}

// act lets the workload work for a while and returns its account, at rest.
func (t *target) act(ctx context.Context) (*workload.Account, error) {
	if _, err := fmt.Fprintln(t.stdin, "go"); err != nil {
		return nil, fmt.Errorf("tell the workload: %w", err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(activity):
	}
	if _, err := fmt.Fprintln(t.stdin, "quiesce"); err != nil {
		return nil, fmt.Errorf("tell the workload: %w", err)
	}
	a := new(workload.Account)
	return a, t.read(a)
}

func (t *target) read(v any) error {
	line, err := t.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		return fmt.Errorf("read from the workload: %w", err)
	}
	return nil
}

// stop ends the workload with its input.
func (t *target) stop() error {
	t.stdin.Close()
	_, _ = io.Copy(io.Discard, t.out) // its last account is the one it gave before
	if err := t.cmd.Wait(); err != nil {
		return fmt.Errorf("workload: %w: %s", err, strings.TrimSpace(t.stderr.String()))
	}
	return nil
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
			return nil, fmt.Errorf("pinwatch attach ended: %w: %s", orElse(err, errors.New("too soon")), o.said())
		case <-time.After(readyPoll):
		}
	}
}

// end ends the observation, as Ctrl-C does, and returns its report.
func (o *observer) end() (*report, error) {
	defer os.RemoveAll(o.dir)
	_ = o.cmd.Process.Signal(os.Interrupt) // its error is that the process has ended, which the next line tells
	if err := <-o.exited; err != nil {
		return nil, fmt.Errorf("pinwatch attach: %w: %s", err, o.said())
	}
	r := new(report)
	if err := json.Unmarshal(o.stdout.Bytes(), r); err != nil {
		return nil, fmt.Errorf("read pinwatch's report: %w", err)
	}
	return r, nil
}

func (o *observer) said() string { return strings.TrimSpace(o.stderr.String()) }

func orElse(err, instead error) error {
	if err == nil {
		return instead
	}
	return err
}

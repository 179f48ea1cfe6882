package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
)

// describe collects what a report says beside the numbers, and warns of what is not to be had.
// The error says that pinwatch would report falsehoods of this process.
func describe(s streams, pid int, o options) (report.Meta, *program, error) {
	meta := report.Meta{Version: versionString(), Host: host.Read(os.DirFS("/")), Target: report.Target{PID: pid}}
	if !procfs.ShowsOurNamespace() {
		meta.Warnings = append(meta.Warnings, "kernel side only: /proc is not of this PID namespace, so nothing can be read of the program")
		if o.sites || o.offsets != "" {
			return meta, nil, errors.New("--sites, --offsets: /proc is not of this PID namespace, so nothing can be read of the program")
		}
		return meta, &program{}, nil
	}
	meta.Warnings = condition(pid)
	if exe, err := procfs.Process(pid).Exe(); err == nil {
		exe = filepath.Base(exe)
		meta.Target.Exe = &exe
	}
	p, err := openProgram(pid, o.offsets)
	var table *goruntime.TableError
	switch {
	case errors.As(err, &table):
		return meta, nil, fmt.Errorf("--offsets: %w", err)
	case p.info == nil && o.sites:
		return meta, nil, fmt.Errorf("--sites: the program can't be read: %w; leave --sites out to observe the kernel side", err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, os.ErrProcessDone):
		return meta, p, nil // it has just ended; the report will say so
	case errors.Is(err, goruntime.Err32Bit):
		return meta, nil, fmt.Errorf("process %d is %w: it can't be observed", pid, goruntime.Err32Bit)
	case p.info == nil:
		meta.Warnings = append(meta.Warnings, fmt.Sprintf("kernel side only: %v", err))
		fmt.Fprintf(s.err, "pinwatch: %s: observing the kernel side only\n", oneLine(err))
		return meta, p, nil
	case err != nil:
		meta.Warnings = append(meta.Warnings, oneLine(err))
	}
	info := p.info
	meta.Target = targetOf(pid, info)
	if why := info.Unknown["AsyncPreempt"]; why != nil {
		meta.Warnings = append(meta.Warnings, fmt.Sprintf("injected preemptions are not told from others: %v", why))
	}
	if !p.locks() {
		why := cmp.Or(info.Unknown["Offsets"], info.Unknown["GSlot"])
		meta.Warnings = append(meta.Warnings, fmt.Sprintf("locks and roles are not known: %v", why))
		fmt.Fprintf(s.err, "pinwatch: locks and roles are not known: %s\n", oneLine(why))
	}
	return meta, p, nil
}

// condition warns of what makes a process's threads behave unlike themselves.
func condition(pid int) (warnings []string) {
	status, err := procfs.Process(pid).Status()
	if err != nil {
		return nil
	}
	if status.State == 'T' {
		warnings = append(warnings, "the process was stopped (SIGSTOP) when the observation began")
	}
	if status.TracerPID != 0 {
		warnings = append(warnings, fmt.Sprintf("the process is traced (ptrace) by process %d: its signals and exits wait for the tracer", status.TracerPID))
	}
	return warnings
}

func targetOf(pid int, info *goruntime.Info) report.Target {
	offsets, exe := cmp.Or(info.OffsetsFrom, "none"), filepath.Base(info.Exe)
	t := report.Target{
		PID: pid, Exe: &exe, GoVersion: &info.GoVersion, Cgo: &info.CGO, PIE: &info.PIE, Stripped: &info.Stripped, Offsets: &offsets,
	}
	if info.GOMAXPROCS > 0 {
		t.GOMAXPROCS = &info.GOMAXPROCS
	}
	return t
}

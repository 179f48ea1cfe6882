package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/leftover"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// leftGrace is how long the kernel may take to free objects that no process holds any more.
const leftGrace = 20 * time.Second

// cycle is one short attachment, and the memory and descriptors of the long one at its end.
type cycle struct {
	peak    uint64 // most memory of the short attachment, in bytes
	report  report
	longRSS uint64 // bytes
	longFDs int
}

// report is the part of a pinwatch.report/v1 that a soak reads.
type report struct {
	Loss struct {
		Total uint64 `json:"total"`
	} `json:"loss"`
	Counts struct {
		Created  uint64 `json:"threads_created"`
		Switches uint64 `json:"switches"`
	} `json:"counts"`
}

func readReport(path string) (r report, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && r.Counts.Switches == 0 {
		err = fmt.Errorf("%s has no switches", path)
	}
	if err != nil {
		return r, fmt.Errorf("read pinwatch's report: %w", err)
	}
	return r, nil
}

func attachCommand(pinwatch string, pid int, report string, flags ...string) []string {
	return append([]string{pinwatch, "attach", "-p", strconv.Itoa(pid), "-o", "json", "--out", report}, flags...)
}

// modes are the flags of the short attachments, in turn.
var modes = [][]string{nil, {"--aggregate"}, {"--light"}, {"--sites"}}

// cycles attaches and detaches until the time is up, and prints a line for each cycle.
func (r *result) cycles(ctx context.Context, o options, target, long int, path string) error {
	fmt.Println("cycle  elapsed  long RssAnon MiB  long fds  peak RSS MiB  threads made  events lost  left in the kernel")
	next := time.NewTicker(o.every)
	defer next.Stop()
	for time.Since(r.began)+o.every/2 < o.duration && ctx.Err() == nil {
		before, err := leftover.All()
		if err != nil {
			return err
		}
		c := cycle{}
		flags := append([]string{"-d", (o.every / 2).String()}, modes[len(r.list)%len(modes)]...)
		if c.peak, err = attachOnce(attachCommand(o.pinwatch, target, path, flags...)); err != nil {
			return err
		}
		if c.report, err = readReport(path); err != nil {
			return err
		}
		left, err := leftover.Remaining(before, leftGrace)
		if err != nil {
			return err
		}
		if c.longRSS, err = measure.RSSAnon(long); err != nil {
			return err
		}
		if c.longFDs, err = measure.FDs(long); err != nil {
			return err
		}
		r.list, r.left = append(r.list, c), append(r.left, left...)
		fmt.Printf("%5d  %7s  %16.1f  %8d  %12.1f  %12d  %11d  %v\n", len(r.list), time.Since(r.began).Round(time.Second),
			mib(c.longRSS), c.longFDs, mib(c.peak), c.report.Counts.Created, c.report.Loss.Total, left)
		select {
		case <-ctx.Done():
		case <-next.C:
		}
	}
	return nil
}

// attachOnce runs a pinwatch to its end and returns its largest RSS, in bytes.
func attachOnce(argv []string) (peak uint64, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C interrupts only the soak, which ends it
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pinwatch attach: %w: %s", err, bytes.TrimSpace(out))
	}
	rusage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, fmt.Errorf("pinwatch attach: the kernel does not account for it")
	}
	return uint64(rusage.Maxrss) << 10, nil
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/loader"
)

// cpuUsage is CPU time of this process, user and system.
type cpuUsage time.Duration

func usage() cpuUsage {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		panic(err) // cannot be: the arguments are valid
	}
	return cpuUsage(ru.Utime.Nano() + ru.Stime.Nano())
}

func (u cpuUsage) since(earlier cpuUsage) time.Duration { return time.Duration(u - earlier) }

// observed is what observing cost in the elapsed time, which begins with the window and ends a little after it: used is our
// process's CPU time, programs and sampled what the kernel has said of our programs since attach in the time that it was asked
// to (nil: it refused), which is scaled.
func observed(s *loader.Session, programs []loader.ProgramStats, sampled, used, elapsed time.Duration) report.Observer {
	o := report.Observer{Hooks: s.Hooks(), RSSAnonBytes: rssAnon()}
	cpu := used.Seconds()
	if programs != nil {
		o.Programs = []report.Program{}
		for _, p := range programs {
			row := report.Program{Name: p.Name, Runs: p.Runs, Missed: p.Missed}
			if p.Runs > 0 {
				ns := float64(p.Runtime) / float64(p.Runs)
				row.NSPerRun = &ns
			}
			o.Programs = append(o.Programs, row)
			if sampled > 0 {
				cpu += p.Runtime.Seconds() * elapsed.Seconds() / sampled.Seconds()
			}
		}
		seconds := sampled.Seconds()
		o.StatsSampledS = &seconds
	}
	o.CPUSeconds = &cpu
	if elapsed > 0 {
		fraction := cpu / elapsed.Seconds()
		o.CPUFraction = &fraction
	}
	return o
}

// addOwn adds what the programs have measured of themselves, and the calibration it rests on.
func addOwn(o *report.Observer, times []loader.OwnTime, c loader.Calibration) {
	for _, t := range times {
		row := report.Overhead{Name: t.Name, Timed: t.N, DispatchNS: t.DispatchNS}
		if t.N > 0 {
			row.NS = &t.NS
		}
		o.Overhead = append(o.Overhead, row)
	}
	o.ClockReadNS, o.ClockStepNS = &c.ClockRead, &c.ClockStep
}

// rssAnon is our own anonymous memory in bytes; nil when /proc does not say.
func rssAnon() *uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	_, rest, found := strings.Cut(string(status), "RssAnon:")
	if !found {
		return nil
	}
	fields := strings.Fields(rest)
	kib, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return nil
	}
	bytes := kib << 10
	return &bytes
}

package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// noise reports the machine's other load just before a measurement. Figures from a busy machine are
// worth little, and another observer's hooks make every process's system calls and switches slower.
func noise() string {
	load, err := os.ReadFile("/proc/loadavg")
	minute, _, ok := strings.Cut(string(load), " ")
	if err != nil || !ok {
		minute = "not known"
	}
	others := 0
	for _, pid := range procfs.Processes() {
		if measure.PerfEvents(pid) > 0 {
			others++
		}
	}
	if others == 0 {
		return "load before " + minute
	}
	return fmt.Sprintf("load before %s, **and %d other processes held perf events**", minute, others)
}

package procfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Machine is /proc/stat: the CPU time of all CPUs since boot, and the length of the run queue.
type Machine struct {
	Busy       time.Duration // in processes: user, nice, system
	Interrupts time.Duration // irq, softirq
	Stolen     time.Duration // by a hypervisor, for other machines
	Running    int           // threads that run or wait for a CPU
}

// ReadMachine reads /proc/stat.
func ReadMachine() (Machine, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	return ParseMachine(string(text))
}

// ParseMachine parses the text of /proc/stat, as proc_stat(5) describes it.
func ParseMachine(text string) (m Machine, err error) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) > 8 && words[0] == "cpu":
			var times [9]time.Duration
			for i := range times[1:] {
				ticks, err := strconv.ParseInt(words[i+1], 10, 64)
				if err != nil {
					return m, fmt.Errorf("read /proc/stat: %w", err)
				}
				times[i+1] = time.Duration(ticks) * (time.Second / UserHZ)
			}
			const user, nice, system, irq, softirq, steal = 1, 2, 3, 6, 7, 8
			m.Busy, m.Interrupts, m.Stolen = times[user]+times[nice]+times[system], times[irq]+times[softirq], times[steal]
		case len(words) == 2 && words[0] == "procs_running":
			if m.Running, err = strconv.Atoi(words[1]); err != nil {
				return m, fmt.Errorf("read /proc/stat: %w", err)
			}
		}
	}
	return m, nil
}

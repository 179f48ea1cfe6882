// Throttled has a pinned goroutine that wants to work each millisecond, beside two that are always
// busy, under a quota of a tenth of a CPU.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// counters reads the kernel's counters of the quota.
func counters() (periods, throttled int) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Fields(string(groups)) {
		parts := strings.SplitN(line, ":", 3)
		dir := "/sys/fs/cgroup"
		switch parts[1] {
		case "cpu", "cpu,cpuacct":
			dir += "/cpu"
		case "":
		default:
			continue
		}
		text, err := os.ReadFile(dir + parts[2] + "/cpu.stat")
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(text), "\n") {
			if words := strings.Fields(line); len(words) == 2 {
				switch n, _ := strconv.Atoi(words[1]); words[0] { // all are numbers
				case "nr_periods":
					periods = n
				case "nr_throttled":
					throttled = n
				}
			}
		}
		if periods > 0 {
			break
		}
	}
	return periods, throttled
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	tid := make(chan int)
	go func() {
		runtime.LockOSThread() // for good
		tid <- syscall.Gettid()
		for {
			time.Sleep(time.Millisecond)
		}
	}()
	for range 2 {
		go func() {
			for x := 0; ; x++ {
			}
		}()
	}
	report := func(account map[string]any) {
		if err := json.NewEncoder(os.Stdout).Encode(account); err != nil {
			panic(err)
		}
	}
	report(map[string]any{"ticker": <-tid, "procs": runtime.GOMAXPROCS(0)})
	in.Scan() // go
	periods, throttled := counters()
	in.Scan() // the end
	endPeriods, endThrottled := counters()
	report(map[string]any{"periods": endPeriods - periods, "throttled": endThrottled - throttled})
}

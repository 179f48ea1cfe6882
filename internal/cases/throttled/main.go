// Throttled has a pinned goroutine that wants to work each millisecond, beside two that are always
// busy, under a quota of a tenth of a CPU. Its child, which has no quota and so is never late, reads
// the counters of that quota.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// counters reads the kernel's counters of the quota of a process.
func counters(pid int) (periods, throttled int) {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
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

func report(account map[string]any) {
	if err := json.NewEncoder(os.Stdout).Encode(account); err != nil {
		panic(err)
	}
}

// witness reports how the counters of its parent's quota grow in the window.
func witness() {
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	periods, throttled := counters(os.Getppid())
	in.Scan() // the end
	endPeriods, endThrottled := counters(os.Getppid())
	report(map[string]any{"periods": endPeriods - periods, "throttled": endThrottled - throttled})
}

func main() {
	if len(os.Args) > 1 {
		witness()
		return
	}
	child := exec.Command("/proc/self/exe", "witness")
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := child.Start(); err != nil { // before the quota is set, which is when the first line was read
		panic(err)
	}
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
	report(map[string]any{"ticker": <-tid, "procs": runtime.GOMAXPROCS(0)})
	if err := child.Wait(); err != nil {
		panic(err)
	}
}

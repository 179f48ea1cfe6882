package probe

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
)

// Census is how many threads the process has, from several sources one after the other.
type Census struct {
	At     int64   `json:"at_ns"`
	Tasks  int     `json:"tasks"`          // entries of /proc/self/task
	Status int     `json:"status_threads"` // the line Threads: of /proc/self/status
	Metric *uint64 `json:"metric"`         // /sched/threads/total:threads; null = this release has no such metric
}

// TakeCensus counts the threads and lists them, ascending.
func TakeCensus() (Census, []int, error) {
	c := Census{At: Now()}
	tids, err := TaskIDs()
	if err != nil {
		return c, nil, err
	}
	sort.Ints(tids)
	c.Tasks = len(tids)
	if c.Status, err = statusThreads(); err != nil {
		return c, nil, err
	}
	if n, ok := threadMetric(); ok {
		c.Metric = &n
	}
	return c, tids, nil
}

// statusThreads is the number on the line Threads: of /proc/self/status.
func statusThreads() (int, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("count threads: %v", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[0] == "Threads:" {
			return strconv.Atoi(fields[1])
		}
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("count threads: %v", err)
	}
	return 0, errors.New("count threads: /proc/self/status has no number of threads")
}

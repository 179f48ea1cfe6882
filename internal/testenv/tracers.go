package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// OtherTracers are the processes that hold perf events or BPF links, which may be on the same hooks
// as those of a test. This process and the known ones are left out.
func OtherTracers(t testing.TB, known ...int) (pids []int) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range processes {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() || slices.Contains(known, pid) {
			continue
		}
		fds, err := os.ReadDir(fmt.Sprintf("%s/fd", dir))
		if err != nil {
			continue // the process has ended
		}
		for _, fd := range fds {
			file, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name())) // "" = closed by now
			if strings.Contains(file, "[perf_event]") || strings.Contains(file, "bpf_link") ||
				strings.Contains(file, "bpf-link") {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

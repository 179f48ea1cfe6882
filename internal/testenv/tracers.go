package testenv

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// OtherTracers are the processes that hold perf events or BPF links, which may be on the same hooks
// as those of a test. This process and the known ones are left out.
func OtherTracers(t testing.TB, known ...int) (pids []int) {
	t.Helper()
	for _, pid := range procfs.Processes() {
		if pid == os.Getpid() || slices.Contains(known, pid) {
			continue
		}
		files, _ := procfs.Process(pid).Files() // none: the process has ended
		for _, file := range files {
			if strings.Contains(file, "[perf_event]") || strings.Contains(file, "bpf_link") ||
				strings.Contains(file, "bpf-link") {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

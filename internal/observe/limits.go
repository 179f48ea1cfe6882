package observe

import (
	"os"
	"strconv"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// maxThreads is where the Go runtime ends the program (sched.maxmcount in runtime/proc.go), unless
// the program has called debug.SetMaxThreads.
const maxThreads = 10000

// limits reads what limits the number of the process's threads. It reads nothing where no thread was
// created: then nothing gets nearer to a limit. isGo: a Go runtime could be read.
func limits(pid int, isGo bool, counts *correlate.Counts) []findings.Limit {
	if counts.ThreadsCreated == 0 || !procfs.ShowsOurNamespace() {
		return nil
	}
	var all []findings.Limit
	if isGo && counts.Threads < maxThreads { // else it has another limit
		all = append(all, findings.Limit{Name: "the Go runtime's, unless debug.SetMaxThreads has set another one",
			Max: maxThreads, Now: counts.Threads})
	}
	for _, l := range procfs.TaskLimits(os.DirFS("/"), strconv.Itoa(pid)) {
		all = append(all, findings.Limit(l))
	}
	return all
}

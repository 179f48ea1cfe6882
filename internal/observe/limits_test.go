package observe

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/findings"
)

// TestLimits: the Go runtime limits the threads of a Go program only.
func TestLimits(t *testing.T) {
	ofGo := func(l findings.Limit) bool {
		return strings.HasPrefix(l.Name, "the Go runtime's") && l.Max == maxThreads
	}
	for _, isGo := range []bool{false, true} {
		got := limits(os.Getpid(), isGo, &correlate.Counts{Threads: 7, ThreadsCreated: 1})
		if slices.ContainsFunc(got, ofGo) != isGo || !slices.ContainsFunc(got, func(l findings.Limit) bool {
			return l.Name == "kernel.threads-max" && l.Max > l.Now && l.Now > 0
		}) {
			t.Errorf("Go %t: %+v", isGo, got)
		}
	}
	if got := limits(os.Getpid(), true, &correlate.Counts{Threads: maxThreads,
		ThreadsCreated: 1}); slices.ContainsFunc(got, ofGo) {
		t.Errorf("beyond the runtime's limit, so it has another one: %+v", got)
	}
	if got := limits(os.Getpid(), true, &correlate.Counts{Threads: 7}); got != nil {
		t.Errorf("no thread was created: %+v", got)
	}
}

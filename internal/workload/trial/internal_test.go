package trial

import (
	"slices"
	"strings"
	"testing"
)

func TestOnlyWorkloadsActInInit(t *testing.T) {
	for line, want := range map[string]bool{
		"pinwatch workload idle": true, "workload idle": true, "/tmp/x/cgoworkload cgo -hold": true,
		"pinwatch": false, "pinwatch version": false, "pinwatch demo": false, "pinwatch vet workload": false,
		"workload": false, "/workload/pinwatch version": false, "": false,
	} {
		if got := startedAsWorkload(strings.Fields(line)); got != want {
			t.Errorf("%q: %t, want %t", line, got, want)
		}
	}
}

func TestThin(t *testing.T) {
	var list []int64
	for i := int64(5 * maxSamples); i > 0; i-- {
		list = append(list, i)
	}
	kept := thin(list)
	if len(kept) != maxSamples || kept[0] != 1 || kept[maxSamples-1] != 5*maxSamples || !slices.IsSorted(kept) {
		t.Errorf("%d samples, from %d to %d", len(kept), kept[0], kept[len(kept)-1])
	}
	if kept := thin([]int64{3, 1, 2}); !slices.Equal(kept, []int64{1, 2, 3}) {
		t.Errorf("kept %v", kept)
	}
}

// A line that the runtime had not printed to its end is left out.
func TestCompleteLines(t *testing.T) {
	long := strings.Repeat("x", maxText-1) + "\n"
	for text, want := range map[string]string{
		"": "", "SCHED 0ms: go": "", "a\nSCHED 20ms": "a\n", "a\nb\n": "a\nb\n", long + "b\n": long,
	} {
		if got := completeLines(text); got != want {
			t.Errorf("%d bytes: kept %d, want %d", len(text), len(got), len(want))
		}
	}
}

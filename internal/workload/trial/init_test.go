package trial_test

import (
	"strings"
	"testing"
)

func TestOnlyWorkloadsActInInit(t *testing.T) {
	for line, want := range map[string]bool{
		"pinwatch workload idle": true, "workload idle": true, "/tmp/x/cgoworkload cgo -hold": true,
		"pinwatch": false, "pinwatch version": false, "pinwatch demo": false, "pinwatch vet workload": false, "workload": false, "/workload/pinwatch version": false, "": false,
	} {
		if got := startedAsWorkload(strings.Fields(line)); got != want {
			t.Errorf("%q: %t, want %t", line, got, want)
		}
	}
}

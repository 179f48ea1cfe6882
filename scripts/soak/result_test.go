package main

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/leftover"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// run is a soak whose long attachment had these sizes, in MiB.
func run(sizes ...uint64) *result {
	r := &result{account: &workload.Account{LockedExits: 7}}
	for _, s := range sizes {
		r.list = append(r.list, cycle{longRSS: s << 20, longFDs: 40})
	}
	return r
}

func TestVerdict(t *testing.T) {
	files := run(9, 9, 9, 9)
	files.list[2].longFDs, files.list[3].longFDs = 42, 41
	blink := run(9, 9, 9, 9)
	blink.list[3].longFDs = 41
	left := run(9, 9, 9, 9)
	left.left = []leftover.Object{{Kind: "map", ID: 1 << 31}}
	for name, c := range map[string]struct {
		r    *result
		want string // part of the error; "" = none
	}{
		"flat":         {run(3, 20, 21, 19, 20, 22, 21, 20), ""},
		"grows":        {run(3, 20, 22, 24, 26, 28, 30, 32), "memory grew from 24.0 to 32.0"},
		"too short":    {run(9, 9, 9), "3 cycles"},
		"fds":          {files, "40 file descriptors became 41"},
		"fds, once":    {blink, ""},
		"left":         {left, "left in the kernel"},
		"never begun":  {run(), "0 cycles"},
		"large, flat":  {run(100, 100, 100, 109), ""},
		"large, grows": {run(100, 100, 100, 112), "memory grew"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.r.verdict()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v; want %q", err, c.want)
			}
			if failed := strings.Contains(c.r.markdown(), "**failed**"); failed != (err != nil) {
				t.Errorf("error %v, table:\n%s", err, c.r.markdown())
			}
		})
	}
}

package main

import (
	"os/exec"
	"time"

	"github.com/pinwatch/pinwatch/scripts/kernelmatrix/plan"
)

// How long a guest may hold statements against its kernel: what has not been done by then is left undone.
const (
	verifyTimeout = 7 * time.Minute
	verifyGrace   = time.Minute     // for the experiment at hand to end, and for the text to get out by the serial line
	verifyGuest   = 9 * time.Minute // with the time that the guest takes to boot
)

// verification is the plan of --verify. Guests have no C compiler, so the workload with C comes along, linked statically; the rest is built
// into pinwatch.
func verification(dir, only string) (files []guestFile, steps []plan.Step, err error) {
	f, err := build(dir, "pinwatch", "build", "./cmd/pinwatch")
	if err != nil {
		return nil, nil, err
	}
	files = append(files, f)
	if _, err := exec.LookPath("gcc"); err == nil {
		f, err := buildWithC(dir, "cgoworkload", "./internal/workload/cmd/cgoworkload")
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	argv := []string{"pinwatch", "verify", "-o", "json"}
	if only != "" {
		argv = append(argv, "--only", only)
	}
	return files, []plan.Step{{Name: stepVerify, Dir: "/tmp", Argv: argv, Timeout: verifyTimeout, Grace: verifyGrace, Document: true}}, nil
}

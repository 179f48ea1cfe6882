// Package plan is the agreement between the machine that starts a guest kernel and the init program
// inside it: what to run, and the lines on the serial console by which the result is judged.
package plan

import (
	"fmt"
	"time"
)

// Path is where the initramfs holds the []Step to run, as JSON.
const Path = "/plan.json"

// Step is one program the guest runs. Steps run one after the other; a failed step does not stop
// the next.
type Step struct {
	Name    string        `json:"name"`    // unique in a plan, one word
	Dir     string        `json:"dir"`     // working directory, absolute
	Argv    []string      `json:"argv"`    // argv[0] is looked up in /bin unless it has a slash
	Timeout time.Duration `json:"timeout"` // the step's process group is killed after it; must be positive

	// Grace is for programs that can end early with partial results: at Timeout they are
	// interrupted, as by Ctrl-C, and killed when Grace has passed as well. 0 = killed at Timeout.
	Grace time.Duration `json:"grace,omitempty"`

	// Document is set when standard output is one document. It is then printed in one piece when
	// the program ends, so that no line of standard error stands inside it.
	Document bool `json:"document,omitempty"`
}

// Env is the environment of every step. Tests with PINWATCH_EMULATED=1 judge nothing that depends
// on time.
var Env = []string{
	"PATH=/bin", "HOME=/tmp", "PINWATCH_EMULATED=1",
	"GOGC=400", // a guest has memory, and its time is the emulator's
	"PINWATCH_WORKLOAD=/bin/workload", "PINWATCH_CGO_WORKLOAD=/bin/cgoworkload",
	"PINWATCH_C_THREADS=/bin/cthreads", "PINWATCH_OLD_WORKLOAD=/bin/oldworkload",
}

// TestsFlag is the flag of a test binary that selects the tests to run.
const TestsFlag = "-test.run="

// SkipFlag is the flag of a test binary that excludes tests.
const SkipFlag = "-test.skip="

// Variables of the guest's command line: the tests that run in place of the plan's, and tests that
// are left out besides the plan's.
const (
	OnlyTests = "PINWATCH_TESTS"
	SkipTests = "PINWATCH_SKIP"
)

// Killed is the exit code reported for a step that a signal ended or that could not be started.
const Killed = 125

// The guest prints each of these on a line without anything else. Only the Exit line means that a
// run was complete: QEMU ends with status 0 after a panic as well as after a clean reboot.

// Kernel is the line that names the release of the kernel that booted.
func Kernel(release string) string { return "KMATRIX kernel " + release }

// Begin is the line before a step's output.
func Begin(step string) string { return "KMATRIX begin " + step }

// End is the line after a step's output.
func End(step string, exit int) string { return fmt.Sprintf("KMATRIX end %s exit=%d", step, exit) }

// Exit is the last line; code is 0 when every step exited 0, otherwise 1.
func Exit(code int) string { return fmt.Sprintf("KMATRIX exit=%d", code) }

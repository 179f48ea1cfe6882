package trial

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// initSamples names the environment variable with the number of samples in the stretch.
const initSamples = "PINWATCH_WORKLOAD_INIT_SAMPLES"

// initStretch is the stretch of the initialization.
var initStretch *probe.Stretch

// init does what workload.InitVariable asks for.
func init() {
	if !startedAsWorkload(os.Args) {
		return
	}
	switch os.Getenv(workload.InitVariable) {
	case "hold":
		ready := workload.Ready{Ready: true, PID: os.Getpid(), Name: "init"}
		if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
			fmt.Fprintln(os.Stderr, "print the ready line:", err)
		}
		awaitLine()
	case "pin":
		runtime.LockOSThread()
	case "lock":
		watchInit()
		runtime.LockOSThread()
	case "watch":
		watchInit()
	}
}

// startedAsWorkload reports whether a program with these arguments is one of the workload commands,
// or is made one by workload.Command. Any other program that has this package linked in must ignore
// the variable.
func startedAsWorkload(args []string) bool {
	if len(args) < 2 {
		return false
	}
	program := filepath.Base(args[0])
	return args[1] == workload.Command || program == "workload" || program == "cgoworkload"
}

// awaitLine reads a line and no byte beyond it: the rest of stdin belongs to the workload.
func awaitLine() {
	var b [1]byte
	for b[0] != '\n' {
		if n, err := os.Stdin.Read(b[:]); n == 0 || err != nil {
			return
		}
	}
}

func watchInit() {
	n, err := strconv.Atoi(os.Getenv(initSamples))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", initSamples, err)
		return
	}
	o := probe.StartOthers(4)
	runtime.LockOSThread()
	runtime.UnlockOSThread() // the runtime's own lock stays
	s := o.Stretch(0, 0, n)
	o.Stop()
	initStretch = &s
}

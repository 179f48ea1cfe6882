package workload

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// Command is the first argument of a program that has more to do than to be a workload: it starts one.
const Command = "workload"

// InitVariable is the name of the environment variable that has a workload do something while the program still initializes its
// packages, when the runtime holds the main goroutine to the main thread by its internal lock (runtime.main):
//
//	hold   print a Ready and wait until stdin ends or a line comes, so that an observer can look at that lock
//	pin    lock the main goroutine
//	lock   the same, after a stretch
//	watch  a stretch only
const InitVariable = "PINWATCH_WORKLOAD_INIT"

// initLooks is the environment variable with the number of looks in the stretch.
const initLooks = "PINWATCH_WORKLOAD_INIT_LOOKS"

// initStretch is the stretch of the initialization.
var initStretch *Stretch

func init() {
	if !startedAsWorkload(os.Args) {
		return
	}
	switch os.Getenv(InitVariable) {
	case "hold":
		if err := json.NewEncoder(os.Stdout).Encode(Ready{Ready: true, PID: os.Getpid(), Name: "init"}); err != nil {
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

// startedAsWorkload says whether a program with these arguments is one of this package's commands, or told to be one by Command.
// Whatever else has this package linked in must not do what a variable says before its own main.
func startedAsWorkload(args []string) bool {
	if len(args) < 2 {
		return false
	}
	program := filepath.Base(args[0])
	return args[1] == Command || program == "workload" || program == "cgoworkload"
}

// awaitLine reads no byte beyond the line: the rest of stdin is the workload's.
func awaitLine() {
	var b [1]byte
	for b[0] != '\n' {
		if n, err := os.Stdin.Read(b[:]); n == 0 || err != nil {
			return
		}
	}
}

func watchInit() {
	n, err := strconv.Atoi(os.Getenv(initLooks))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", initLooks, err)
		return
	}
	b := newBystanders(4)
	s := b.stretch(0, 0, n)
	b.leave()
	initStretch = &s
}

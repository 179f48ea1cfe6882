package workload

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// InitVariable is the name of the environment variable that has this package do something while the program still initializes
// its packages, when the runtime holds the main goroutine to the main thread by its internal lock (runtime.main):
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

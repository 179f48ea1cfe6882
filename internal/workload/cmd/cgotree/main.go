// Command cgotree forks in C: before its Go runtime starts, as runc does, and while that runs. None
// of the children executes a program. The accounts are those of command tree. What they have of the
// Go process, "go", is only what its C code did: the runtime makes threads of its own.
package main

// #cgo LDFLAGS: -lpthread
// #include "fork.h"
import "C"

import (
	"fmt"
	"os"
)

func main() {
	if C.fork_and_work() != 0 {
		fmt.Fprintln(os.Stderr, "cgotree: the child of a fork failed")
		os.Exit(1)
	}
}

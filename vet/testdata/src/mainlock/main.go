package main

import (
	"os"
	"runtime"

	"github.com/vishvananda/netns"
)

func init() {
	// The window's toolkit wants the main thread.
	runtime.LockOSThread()
}

func main() {
	_ = netns.Set(3) // init has locked
	run()
	if len(os.Args) > 1 {
		os.Exit(1)
	}
}

func run() {
	// The window's toolkit wants the main thread.
	runtime.LockOSThread()
	work()
}

func work() {}

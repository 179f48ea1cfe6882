// Command held-in-c has goroutines in a C function that sleeps. It prints its account when all of
// them are there, and ends with its standard input.
package main

/*
#include <stdatomic.h>
#include <unistd.h>
static atomic_int entered;
static void wait_for_device(void) { atomic_fetch_add(&entered, 1); for (;;) pause(); }
static int number(void) { return atomic_load(&entered); }
*/
import "C"

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"runtime"
	"time"
)

func render(locked bool) {
	if locked {
		runtime.LockOSThread() //pinwatch:ignore what is shown is a lock that is never undone
	}
	C.wait_for_device()
}

func main() {
	n := flag.Int("n", 40, "goroutines, and half as many locked ones")
	flag.Parse()
	for i := range *n + *n/2 {
		go render(i >= *n)
	}
	for int(C.number()) < *n+*n/2 {
		time.Sleep(10 * time.Millisecond)
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]int{"unlocked": *n, "locked": *n / 2})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

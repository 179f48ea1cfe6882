// Command host locks a goroutine for good and loads the library that it is started with.
package main

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>

static int load(const char *name) { return dlopen(name, RTLD_NOW) != NULL; }
*/
import "C"

import (
	"bufio"
	"encoding/json"
	"os"
	"runtime"
	"syscall"
)

func main() {
	locked := make(chan int)
	go func() {
		runtime.LockOSThread()
		locked <- syscall.Gettid()
		select {}
	}()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"locked": <-locked}); err != nil {
		panic(err)
	}
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return
	}
	if C.load(C.CString(os.Args[1])) == 0 {
		panic("dlopen failed")
	}
	_, _ = in.ReadString('\n')
}

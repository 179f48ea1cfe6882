// Procs-surplus has four times as many Ps as CPUs, and keeps them all busy.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	cpus := runtime.NumCPU() // those that its affinity allows
	runtime.GOMAXPROCS(4 * cpus)
	for range 4 * cpus {
		go func() {
			for x := 0; ; x++ {
			}
		}()
	}
	fmt.Printf("{\"procs\": %d, \"cpus\": %d}\n", 4*cpus, cpus)
	in.Scan() // go
	in.Scan() // the end
}

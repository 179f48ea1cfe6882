// Children starts short processes, many at a time.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"sync"
)

// run starts a child and waits for its end.
func run() {
	if err := exec.Command("true").Run(); err != nil {
		panic(err)
	}
}

func main() {
	const rounds, atOnce = 5, 10
	run() // what the first one needs is there
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	before := pprof.Lookup("threadcreate").Count()
	for range rounds {
		var all sync.WaitGroup
		for range atOnce {
			all.Go(run)
		}
		all.Wait()
	}
	created := pprof.Lookup("threadcreate").Count() - before
	in.Scan() // the end
	fmt.Printf(`{"children": %d, "created": %d}`, rounds*atOnce, created)
}

// Exit-locked ends goroutines that are locked to their threads, one after another.
package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strconv"
)

func pinAndLeave(gone chan<- struct{}) {
	runtime.LockOSThread()
	gone <- struct{}{} // ends without UnlockOSThread: its thread ends, too
}

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	account := json.NewEncoder(os.Stdout)
	_ = account.Encode(map[string]any{"ready": true})
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	gone := make(chan struct{})
	for range n {
		go pinAndLeave(gone)
		<-gone
	}
	_, _ = io.Copy(io.Discard, in)
	_ = account.Encode(map[string]any{"exits": n})
}

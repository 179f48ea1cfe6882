// Short-lived works for a quarter of a second from the line "go" on, as a command does, and ends.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"runtime"
	"time"
)

func init() { runtime.LockOSThread() } // so that no goroutine below gets the main thread, which cannot end

func main() {
	account := json.NewEncoder(os.Stdout)
	_ = account.Encode(map[string]any{"ready": true})
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	begin := time.Now()
	const n = 25
	gone := make(chan bool)
	for range n {
		go func() {
			runtime.LockOSThread() // the thread dies with the goroutine: ends are what is counted
			gone <- true
		}()
		<-gone
		time.Sleep(10 * time.Millisecond)
	}
	_ = account.Encode(map[string]any{"exits": n, "lived_s": time.Since(begin).Seconds()})
}

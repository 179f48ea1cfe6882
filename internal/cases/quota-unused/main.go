// Quota-unused works a little now and then, under a quota that it never uses up.
package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			for begin := time.Now(); time.Since(begin) < 100*time.Microsecond; {
			}
		}
	}()
	in.Scan() // go
	in.Scan() // the end
	fmt.Println(`{"ended": true}`)
}

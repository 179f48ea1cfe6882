// Stale-affinity binds threads to one CPU and raises their niceness for some work, and returns them
// to the runtime without putting either back.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// bound works on one CPU.
//
//pinwatch:ignore that affinity and niceness stay changed is the case
func bound(meet *sync.WaitGroup) (tid int) {
	runtime.LockOSThread() // affinity and niceness are the thread's
	defer runtime.UnlockOSThread()
	set := [16]uint64{1} // CPU 0
	if _, _, errno := syscall.Syscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set),
		uintptr(unsafe.Pointer(&set))); errno != 0 {
		panic(errno)
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), 5); err != nil {
		panic(err)
	}
	meet.Done()
	meet.Wait() // each on a thread of its own
	return syscall.Gettid()
}

// nice is the niceness of a thread.
func nice(tid string) string {
	stat, err := os.ReadFile("/proc/self/task/" + tid + "/stat")
	if err != nil {
		return ""
	}
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):]))[19-2]
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	var meet, done sync.WaitGroup
	meet.Add(3)
	tids := make(chan int, 3)
	for range 3 {
		done.Add(1)
		go func() { defer done.Done(); tids <- bound(&meet) }()
	}
	done.Wait()
	go func() {
		for {
			var both sync.WaitGroup
			for range 2 {
				both.Add(1)
				go func() {
					defer both.Done()
					for begin := time.Now(); time.Since(begin) < 5*time.Millisecond; {
					}
				}()
			}
			both.Wait()
			time.Sleep(45 * time.Millisecond)
		}
	}()
	report := func(account map[string]any) {
		if err := json.NewEncoder(os.Stdout).Encode(account); err != nil {
			panic(err)
		}
	}
	report(map[string]any{"tid": <-tids})
	in.Scan() // go
	in.Scan() // the end
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	changed := 0
	for _, t := range tasks {
		if nice(t.Name()) == "5" {
			changed++
		}
	}
	report(map[string]any{"changed": changed})
}

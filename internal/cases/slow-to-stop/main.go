// Slow-to-stop stops the world 30 times a second and prints the runtime's own account of how long
// that took. With the argument copy, a goroutine copies 32 MB at a time, which nothing can
// interrupt. With idle, a goroutine works on a thread of the policy SCHED_IDLE, beside processes that
// use all CPUs.
package main

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const piece = 32 << 20

// copyPiece can stop where it begins, as most functions can, and not while it copies.
//
//go:noinline
func copyPiece(to, from []byte) { copy(to, from) }

func copyPieces() {
	from, to := make([]byte, piece), make([]byte, piece)
	for {
		copyPiece(to, from)
	}
}

const schedIdle = 5 // include/uapi/linux/sched.h

// idle works with the policy SCHED_IDLE and yields every millisecond.
func idle() {
	runtime.LockOSThread() // for good
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, 0, schedIdle,
		uintptr(unsafe.Pointer(new(int32)))); errno != 0 {
		panic(errno)
	}
	for {
		for began := time.Now(); time.Since(began) < time.Millisecond; {
		}
		runtime.Gosched()
	}
}

// favour gives all threads a high priority, so that other load on the machine delays nothing.
func favour() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name()) // all are numbers
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, tid, -20); err != nil {
			panic(err)
		}
	}
}

// hogs use all CPUs for as long as this process lives.
func hogs() {
	for range runtime.NumCPU() {
		hog := exec.Command("/proc/self/exe", "hog")
		hog.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := hog.Start(); err != nil {
			panic(err)
		}
	}
}

// stopping reads the runtime's histogram of one kind of stops.
func stopping(kind string) (n uint64, ns float64) {
	s := []metrics.Sample{{Name: "/sched/pauses/stopping/" + kind + ":seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	for i, count := range h.Counts {
		if count == 0 {
			continue
		}
		least, most := h.Buckets[i], h.Buckets[i+1]
		if math.IsInf(least, 0) {
			least = 0
		}
		if math.IsInf(most, 0) {
			most = least
		}
		n += count
		ns += float64(count) * (least + most) / 2 * 1e9
	}
	return n, ns
}

func report(account map[string]any) {
	if err := json.NewEncoder(os.Stdout).Encode(account); err != nil {
		panic(err)
	}
}

func main() {
	switch os.Args[1] {
	case "hog":
		for x := 0; ; x++ {
		}
	case "copy":
		go copyPieces()
	case "idle":
		runtime.LockOSThread() // the hogs die with the thread that started them
		hogs()
		go idle()
	case "quick":
		favour()
	}
	in := bufio.NewScanner(os.Stdin)
	report(map[string]any{"procs": runtime.GOMAXPROCS(0)})
	in.Scan() // go
	gcBefore, gcNSBefore := stopping("gc")
	otherBefore, otherNSBefore := stopping("other")
	end := make(chan bool)
	go func() {
		in.Scan()
		close(end)
	}()
	var m runtime.MemStats
	for tick := time.NewTicker(33 * time.Millisecond); ; {
		select {
		case <-tick.C:
			runtime.ReadMemStats(&m)
			if os.Args[1] == "quick" {
				runtime.GC()
			}
			continue
		case <-end:
		}
		break
	}
	gc, gcNS := stopping("gc")
	other, otherNS := stopping("other")
	report(map[string]any{"gc": gc - gcBefore, "gc_ns": gcNS - gcNSBefore, "other": other - otherBefore,
		"other_ns": otherNS - otherNSBefore})
}

// Slow-to-stop stops the world 30 times a second, for two seconds, and prints the runtime's own
// account of how long that took. With the argument copy, a goroutine copies so much at a time that it
// takes longPiece, which nothing can interrupt. With idle, a goroutine works on a thread of the policy
// SCHED_IDLE, beside processes that use all CPUs.
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

const (
	leastPiece, mostPiece = 64 << 20, 512 << 20
	longPiece             = 8 * time.Millisecond
)

// copyPiece can stop where it begins, as most functions can, and not while it copies.
//
//go:noinline
func copyPiece(to, from []byte) { copy(to, from) }

func copyPieces() {
	var from, to []byte
	for piece := leastPiece; piece <= mostPiece; piece *= 2 {
		from, to = make([]byte, piece), make([]byte, piece)
		copyPiece(to, from) // the kernel finds the memory
		began := time.Now()
		copyPiece(to, from)
		if time.Since(began) >= longPiece {
			break
		}
	}
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

const schedFIFO = 1

// favour gives all threads a real-time priority, so that other load on the machine delays nothing. A
// low nice value is not enough: it counts only within a cgroup or a session.
func favour() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name()) // all are numbers
		priority := int32(1)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, uintptr(tid), schedFIFO,
			uintptr(unsafe.Pointer(&priority))); errno != 0 {
			panic(errno)
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

// stopping reads the runtime's histogram of one kind of stops: their sum is at least least, ns, and at
// most most.
func stopping(kind string) (n uint64, least, most int64) {
	s := []metrics.Sample{{Name: "/sched/pauses/stopping/" + kind + ":seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	for i, count := range h.Counts {
		if count == 0 {
			continue
		}
		n += count
		if i > 0 { // the first bucket has those below 0
			least += int64(count) * int64(math.Round(h.Buckets[i]*1e9))
			most += int64(count) * int64(math.Round(h.Buckets[i+1]*1e9))
		}
	}
	return n, least, most
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
	gcBefore, _, gcMostBefore := stopping("gc")
	otherBefore, otherLeastBefore, otherMostBefore := stopping("other")
	end := make(chan bool)
	go func() {
		in.Scan()
		close(end)
	}()
	var m runtime.MemStats
	// It ends well before the window does, so that both accounts have the same stops.
	for began := time.Now(); time.Since(began) < 2*time.Second; time.Sleep(33 * time.Millisecond) {
		runtime.ReadMemStats(&m)
		if os.Args[1] == "quick" {
			runtime.GC()
		}
	}
	<-end
	gc, _, gcMost := stopping("gc")
	other, otherLeast, otherMost := stopping("other")
	report(map[string]any{"gc": gc - gcBefore, "gc_most_ns": gcMost - gcMostBefore, "other": other - otherBefore,
		"other_least_ns": otherLeast - otherLeastBefore, "other_most_ns": otherMost - otherMostBefore})
}

// Pinned-rival keeps one goroutine on a thread that is bound to a CPU, where another process runs too.
// With -first it has the CPU to itself whenever it wants it: by a real-time policy.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const (
	rivalName = "rival-process"
	busy      = 2 * time.Second
	least     = time.Millisecond // of a gap that counts
)

func init() { runtime.LockOSThread() } // the rival's name is that of its main thread

// bind binds the thread to the first CPU that the process may use.
func bind() {
	var allowed, one [128]uint64
	n, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(allowed),
		uintptr(unsafe.Pointer(&allowed)))
	if errno != 0 {
		panic(errno)
	}
	cpu := 0
	for allowed[cpu/64]&(1<<(cpu%64)) == 0 {
		cpu++
	}
	one[cpu/64] = 1 << (cpu % 64)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, n, uintptr(unsafe.Pointer(&one))); errno != 0 {
		panic(errno)
	}
}

// rival uses the CPU up.
func rival() {
	const setName = 15 // PR_SET_NAME
	name := []byte(rivalName + "\x00")
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setName, uintptr(unsafe.Pointer(&name[0])), 0); errno != 0 {
		panic(errno)
	}
	bind()
	for n := 0; ; n++ {
		_ = n
	}
}

type gaps struct {
	n          int
	sum, worst time.Duration
}

// watch reads the clock again and again: where two readings are far apart, the thread did not run.
func watch(rest time.Duration) (g gaps) {
	begin := time.Now()
	last := begin
	for last.Sub(begin) < busy {
		now := time.Now()
		if gap := now.Sub(last); gap >= least {
			g.n++
			g.sum += gap
			g.worst = max(g.worst, gap)
		}
		last = now
		if rest > 0 && now.Sub(begin)%(2*rest) >= rest {
			time.Sleep(rest)
			last = time.Now()
		}
	}
	return g
}

func pinned(first bool, tids chan<- int, start <-chan bool, done chan<- gaps) {
	runtime.LockOSThread() // the affinity is the thread's
	bind()
	rest := time.Duration(0)
	if first {
		const fifo = 1
		priority := int32(1)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, 0, fifo,
			uintptr(unsafe.Pointer(&priority))); errno != 0 {
			panic(errno)
		}
		rest = 5 * time.Millisecond // else the kernel would stop it now and then for the others
	}
	tids <- syscall.Gettid()
	<-start
	done <- watch(rest)
	select {}
}

func main() {
	first := flag.Bool("first", false, "take the CPU before the rival")
	asRival := flag.Bool("rival", false, "be the rival")
	flag.Parse()
	if *asRival {
		rival()
	}
	child := exec.Command("/proc/self/exe", "-rival")
	if err := child.Start(); err != nil {
		panic(err)
	}
	defer child.Wait()
	defer child.Process.Kill()

	start, done := make(chan bool), make(chan gaps)
	tids := make(chan int)
	go pinned(*first, tids, start, done)
	fmt.Printf(`{"tid": %d, "rival": %d, "rival_name": %q}`+"\n", <-tids, child.Process.Pid, rivalName)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	start <- true
	g := <-done
	in.Scan() // the end
	fmt.Printf(`{"gaps": %d, "gap_sum_ns": %d, "gap_worst_ns": %d}`+"\n", g.n, g.sum, g.worst)
}

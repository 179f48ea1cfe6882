// Cpuset-moved binds a pinned thread to one CPU, in a cpuset of its own that then allows another CPU
// only.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// cpuset is a cgroup that limits CPUs.
type cpuset struct{ parent, dir string }

func newCPUSet() cpuset {
	c := cpuset{parent: "/sys/fs/cgroup/cpuset"} // version 1
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		c.parent = "/sys/fs/cgroup"
		write(c.parent, "cgroup.subtree_control", "+cpuset")
	}
	c.dir = filepath.Join(c.parent, "pinwatch-case-"+strconv.Itoa(os.Getpid()))
	check(os.Mkdir(c.dir, 0o755))
	if mems, err := os.ReadFile(c.parent + "/cpuset.mems"); err == nil && strings.HasSuffix(c.parent, "cpuset") {
		write(c.dir, "cpuset.mems", string(mems))
	}
	c.allow("0-1")
	write(c.dir, "cgroup.procs", strconv.Itoa(os.Getpid()))
	return c
}

func (c cpuset) allow(cpus string) { write(c.dir, "cpuset.cpus", cpus) }

func (c cpuset) remove() {
	write(c.parent, "cgroup.procs", strconv.Itoa(os.Getpid()))
	check(os.Remove(c.dir))
}

func write(dir, name, text string) { check(os.WriteFile(filepath.Join(dir, name), []byte(text), 0)) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func bind(cpu uint) {
	set := [16]uint64{1 << cpu}
	if _, _, errno := syscall.Syscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set),
		uintptr(unsafe.Pointer(&set))); errno != 0 {
		panic(errno)
	}
}

// allowed is the list of CPUs that a thread may run on.
func allowed(tid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", tid))
	check(err)
	_, list, _ := strings.Cut(string(status), "Cpus_allowed_list:\t")
	list, _, _ = strings.Cut(list, "\n")
	return list
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	set := newCPUSet()
	defer set.remove()
	tid := make(chan int)
	go func() {
		runtime.LockOSThread() // for good
		bind(0)
		tid <- syscall.Gettid()
		for {
			time.Sleep(10 * time.Millisecond) // seldom enough for the wake-ups to cost nothing worth a finding
		}
	}()
	pinned := <-tid
	fmt.Printf("{\"tid\": %d, \"before\": %q}\n", pinned, allowed(pinned))
	in.Scan() // go
	set.allow("1")
	fmt.Printf("{\"now\": %q}\n", allowed(pinned))
	in.Scan() // the end
}

package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCPUList(t *testing.T) {
	var set unix.CPUSet
	if got := cpuList(&set); got != "" {
		t.Errorf("no CPU: %q", got)
	}
	for _, cpu := range []int{0, 1, 2, 5, 8, 9, 1023} {
		set.Set(cpu)
	}
	if got, want := cpuList(&set), "0-2,5,8-9,1023"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScheduling(t *testing.T) {
	s := scheduling(os.Getpid(), int32(os.Getpid()))
	affinity, nice, policy := s.affinity, s.nice, s.policy
	want, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	if affinity == nil || *affinity == "" || nice == nil || *nice != 20-want || policy == nil || *policy != "SCHED_OTHER" {
		t.Errorf("affinity %v, nice %v, policy %v", affinity, nice, policy)
	}
	if s := scheduling(os.Getpid(), 1<<30); s.affinity != nil || s.cpus != nil || s.nice != nil || s.policy != nil {
		t.Error("a thread that does not exist has a schedule")
	}
}

package trial

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// ExitProcess is a process one of whose goroutines ended, locked to its thread, in a way that may
// end the process; or whose coroutine locked itself, or undid the lock of the goroutine that made it.
type ExitProcess struct {
	How    string    `json:"how"`    // see exitProcesses
	Status int       `json:"status"` // exit status; -1 = a signal ended it, see Signal
	Signal int       `json:"signal"`
	Stderr string    `json:"stderr"`         // the first 4 KiB
	Main   *MainExit `json:"main,omitempty"` // of a process that went on without its main goroutine; it was then killed
}

// MainExit describes the main thread after the main goroutine had ended, locked to it.
type MainExit struct {
	Head
	TID    int    `json:"tid"`      // the thread it was locked to
	Ended  int64  `json:"ended_ns"` // just before its last instruction
	Until  int64  `json:"until_ns"` // the last check of the thread
	Alive  bool   `json:"alive"`    // it was still in /proc/self/task
	State  string `json:"state"`    // the kernel's letter
	Checks uint64 `json:"checks"`   // samples that other goroutines took of their threads
	Visits uint64 `json:"visits"`   // checks that were on that thread
}

// exitProcesses are the ways. Coroutines came with Go 1.23; the process of an older release ends in
// order.
var exitProcesses = []string{"panic", "goexit from main", "coroutine locks", "coroutine unlocks"}

// exitProcess runs in such a process.
func exitProcess(self Self, how string, lock, rescue bool) (Result, error) {
	switch how {
	case "panic":
		ended := make(chan struct{})
		go func() {
			if rescue { // otherwise nothing may wake the main goroutine: the process must end by the panic alone
				defer close(ended)
				defer func() { _ = recover() }()
			}
			if lock {
				runtime.LockOSThread()
			}
			panic("meant")
		}()
		<-ended
	case "coroutine locks", "coroutine unlocks":
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			coroutineEnds(how, lock)
		}()
		<-ended
	case "goexit from main":
		e := &MainExit{Head: self.head, TID: syscall.Gettid(), Ended: probe.Now()}
		go e.watch(self)
		runtime.Goexit()
	default:
		return nil, workload.Mistake("-in-child " + how + ": there is no such process")
	}
	return &MainExit{}, nil
}

// coroutineEnds makes a coroutine that changes the lock of the thread it runs on, and ends.
func coroutineEnds(how string, lock bool) {
	if lock && how == "coroutine unlocks" {
		runtime.LockOSThread()
	}
	next, _, ok := probe.Coroutine(func(func(int) bool) {
		if how == "coroutine unlocks" {
			runtime.UnlockOSThread()
		} else if lock {
			runtime.LockOSThread()
		}
	})
	if ok {
		next()
	}
}

// watch checks the thread for a while and prints the account. The process then stays for a minute:
// its parent ends it.
func (e *MainExit) watch(self Self) {
	o := probe.StartOthers(4)
	time.Sleep(10 * time.Millisecond) // for the goroutine to end
	o.Watch(0, e.TID)
	time.Sleep(100 * time.Millisecond)
	e.Alive = probe.TaskAlive(e.TID)
	if state, err := probe.TaskState(e.TID); err == nil {
		e.State = string(rune(state))
	}
	e.Until = probe.Now()
	e.End = e.Until
	e.Checks, e.Visits, _ = o.Unwatch(0)
	o.Stop()
	if err := self.out.Encode(e); err != nil {
		fmt.Fprintln(self.stderr, "print the account:", err)
	}
	time.Sleep(time.Minute)
}

// watchProcess runs such a process to its end, or until it has printed its account. If its main
// goroutine is to be locked, it is locked from the initialization on: only then is it certainly on
// the main thread.
func watchProcess(self Self, how string, lock bool, flags ...string) (ExitProcess, error) {
	p := ExitProcess{How: how}
	cmd, err := self.command(append([]string{"exits", "-in-child", how}, flags...)...)
	if err != nil {
		return p, err
	}
	if lock && how == "goexit from main" {
		cmd.Env = append(os.Environ(), workload.InitVariable+"=pin")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return p, fmt.Errorf("start a process: %v", err)
	}
	if err := cmd.Start(); err != nil {
		return p, fmt.Errorf("start a process: %v", err)
	}
	lines := bufio.NewReader(stdout)
	_, _ = lines.ReadBytes('\n') // the Ready
	line, _ := lines.ReadBytes('\n')
	if how == "goexit from main" {
		p.Main = &MainExit{}
		if err = json.Unmarshal(line, p.Main); err != nil {
			err = fmt.Errorf("read the account of a child: %v: %s", err, stderr.String())
		}
		_ = cmd.Process.Kill() // fails only if the process has ended by itself
	}
	end := cmd.Wait()
	if err != nil {
		return p, err
	}
	if _, ok := end.(*exec.ExitError); end != nil && !ok {
		return p, fmt.Errorf("end a process: %v", end)
	}
	p.Status = cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		p.Signal = int(ws.Signal())
	}
	text := stderr.Bytes()
	if len(text) > 4096 {
		text = text[:4096]
	}
	p.Stderr = string(text)
	return p, nil
}

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
// end the process.
type ExitProcess struct {
	How    string    `json:"how"`    // panic: of a goroutine; goexit from main: of the main goroutine
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
	case "goexit from main":
		e := &MainExit{Head: self.head, TID: syscall.Gettid(), Ended: probe.Now()}
		go e.watch(self)
		runtime.Goexit()
	default:
		return nil, workload.Mistake("-in-child " + how + ": there is no such process")
	}
	return &MainExit{}, nil
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

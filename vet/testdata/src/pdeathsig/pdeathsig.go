package main

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

func main() {
	_ = child()
	go func() {
		_ = lockedUntilTheEnd()
		time.Sleep(time.Second)
	}()
	for range 3 {
		go func() { endsLocked() }()
	}
	_ = unlocksAtOnce()
	_ = processAttributes()
	_ = noSignal()
	_ = notSet()
	s := &server{}
	s.prepare()
	_ = s.run()
	_ = newJob().run()
	_ = made().Run() // want `pdeathsig: Cmd.Run starts a child`
	c := exec.Command("true")
	mortal(c)
	_ = c.Run() // want `pdeathsig: Cmd.Run starts a child`
	_ = inherited(&syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM})
}

func child() error {
	c := exec.Command("sleep", "10")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil { // want `pdeathsig: Cmd.Start starts a child with Pdeathsig, and the goroutine is not locked to its thread: the kernel sends that signal when the thread`
		return err
	}
	return c.Wait()
}

func lockedUntilTheEnd() error {
	// The signal comes with the thread's end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := exec.Command("sleep", "10")
	c.SysProcAttr = &syscall.SysProcAttr{}
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

func endsLocked() {
	// The thread dies with the goroutine.
	runtime.LockOSThread()
	c := exec.Command("sleep", "10")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	_ = c.Start() // want `pdeathsig: Cmd.Start starts a child with Pdeathsig, and the goroutine ends locked without waiting`
	go func() { _ = c.Wait() }()
}

func unlocksAtOnce() error {
	// The signal comes with the thread's end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := exec.Command("sleep", "10")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c.Start() // want `pdeathsig: Cmd.Start starts a child with Pdeathsig, and unlocksAtOnce unlocks the thread without waiting`
}

func processAttributes() error {
	attr := &os.ProcAttr{Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	_, err := os.StartProcess("/bin/true", nil, attr) // want `pdeathsig: StartProcess starts a child`
	return err
}

func inherited(attr *syscall.SysProcAttr) error {
	c := exec.Command("true")
	c.SysProcAttr = attr
	return c.Run() // want `pdeathsig: Cmd.Run starts a child`
}

func underLock() error {
	// The signal comes with the thread's end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return between()
}

func between() error { return twoBelow() }

func twoBelow() error { return made().Run() }

func made() *exec.Cmd {
	c := exec.Command("true")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

func mortal(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

type server struct{ cmd *exec.Cmd }

type job struct{ cmd *exec.Cmd }

func newJob() *job { return &job{cmd: made()} }

func (j *job) run() error {
	return j.cmd.Run() // want `pdeathsig: Cmd.Run starts a child`
}

func (s *server) prepare() {
	s.cmd = exec.Command("true")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

func (s *server) run() error {
	return s.cmd.Run() // want `pdeathsig: Cmd.Run starts a child`
}

func noSignal() error {
	c := exec.Command("true")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: 0}
	return c.Run()
}

func notSet() error {
	c, other := exec.Command("true"), exec.Command("true")
	other.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c.Run()
}

// started is called with the goroutine locked to its thread.
func started() error { return made().Run() }

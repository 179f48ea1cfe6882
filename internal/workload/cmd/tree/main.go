// Command tree makes trees of processes with known truth. Each process prints its account, one line
// of JSON, when it is about to end or to execute another program.
//
//	tree leaf -threads 3 -live 20ms         makes 3 threads that end, and lives as long
//	tree fan -n 1000 -at-once 50 LEAF...    runs as many leaves, with the flags of a leaf
//	tree chain STEP... -- LEAF...           a leaf that executes itself at each step, as a last leaf
//	                                        at the end: leader, thread (who executes), or shell
//
// It keeps to Go 1.13, as all that is compiled into a workload.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// account is what a process knows of itself while it runs this program.
type account struct {
	PID     int    `json:"pid"`
	Parent  int    `json:"parent"`
	Program string `json:"program"` // the arguments' first: leaf, fan or chain
	UID     int    `json:"uid"`

	// Threads that it made and that ended by exit(2), all but the main thread's: it waited until they
	// were gone. Created is how many it had made at the time At, by CLOCK_MONOTONIC. The runtime may
	// make another one later.
	Exited  int   `json:"exited"`
	Created int   `json:"created"`
	At      int64 `json:"at_ns"`

	Next     string `json:"next,omitempty"`     // who executes the next program: leader, thread or shell
	By       int    `json:"by,omitempty"`       // the id of that thread
	Children int    `json:"children,omitempty"` // of a fan: those that ended well
}

func init() { runtime.LockOSThread() } // main runs on the main thread

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "tree: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("leaf, fan or chain?")
	}
	switch args[0] {
	case "leaf":
		a, err := leaf(args)
		if err != nil {
			return err
		}
		return a.print()
	case "fan":
		return fan(args[1:])
	case "chain":
		return chain(args[1:])
	}
	return fmt.Errorf("no program %q", args[0])
}

// leaf makes threads that end, and returns the account of it. args[0] is the name in the account.
func leaf(args []string) (*account, error) {
	begun := time.Now()
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	threads := flags.Int("threads", 3, "threads that end because their goroutine ends while locked")
	live := flags.Duration("live", 0, "the least life")
	if err := flags.Parse(args[1:]); err != nil {
		return nil, err
	}
	tids := make([]int, *threads)
	var ready, done sync.WaitGroup
	ready.Add(*threads)
	done.Add(*threads)
	for i := range tids {
		go func(tid *int) {
			runtime.LockOSThread() // for good: the thread ends with the goroutine
			*tid = syscall.Gettid()
			ready.Done()
			ready.Wait() // all at once, so that each has a thread of its own
			done.Done()
		}(&tids[i])
	}
	done.Wait()
	_, missed := probe.AwaitGone(tids, 20*time.Second)
	for i, at := range missed {
		if at == 0 {
			return nil, fmt.Errorf("thread %d has not ended", tids[i])
		}
	}
	time.Sleep(*live - time.Since(begun))
	a := &account{PID: os.Getpid(), Parent: os.Getppid(), Program: args[0], UID: os.Getuid(), Exited: *threads}
	return a, a.count()
}

// count counts the threads that were made: between two equal lists none was made or ended, as no
// thread ends any more.
func (a *account) count() error {
	for last := -1; ; {
		tids, err := probe.TaskIDs()
		if err != nil {
			return err
		}
		if len(tids) == last {
			a.Created = a.Exited + last - 1
			return nil
		}
		last, a.At = len(tids), probe.Now()
	}
}

func (a *account) print() error {
	line, err := json.Marshal(a)
	if err == nil {
		_, err = os.Stdout.Write(append(line, '\n')) // at once: other processes write there, too
	}
	return err
}

// fan runs leaves, several at once, and prints their accounts and its own.
func fan(args []string) error {
	flags := flag.NewFlagSet("fan", flag.ContinueOnError)
	n := flags.Int("n", 10, "children")
	atOnce := flags.Int("at-once", 2, "children that run at once")
	uid := flags.Int("uid", -1, "user of the children")
	if err := flags.Parse(args); err != nil {
		return err
	}
	results := make(chan error)
	slots := make(chan bool, *atOnce)
	go func() {
		for i := 0; i < *n; i++ {
			slots <- true
			go func() { results <- child(*uid, flags.Args()); <-slots }()
		}
	}()
	a := &account{PID: os.Getpid(), Parent: os.Getppid(), Program: "fan", UID: os.Getuid()}
	var failed error
	for i := 0; i < *n; i++ {
		if err := <-results; err != nil {
			failed = err
		} else {
			a.Children++
		}
	}
	if err := a.count(); err != nil {
		return err
	}
	if err := a.print(); err != nil {
		return err
	}
	return failed
}

// child runs a leaf to its end.
func child(uid int, args []string) error {
	cmd := exec.Command("/proc/self/exe", append([]string{"leaf"}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if uid >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	return cmd.Run()
}

// chain does what a leaf does and executes this program for the next step.
func chain(args []string) error {
	if len(args) > 0 && args[0] == "--" {
		return run(append([]string{"leaf"}, args[1:]...))
	}
	if len(args) == 0 {
		return errors.New("-- is missing after the steps")
	}
	at := 0
	for at < len(args) && args[at] != "--" {
		at++
	}
	if at == len(args) {
		return errors.New("-- is missing after the steps")
	}
	a, err := leaf(append([]string{"chain"}, args[at+1:]...))
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	next := append([]string{exe, "chain"}, args[1:]...)
	a.Next = args[0]
	failed := make(chan error)
	execute := func() error {
		a.By = syscall.Gettid()
		if err := a.print(); err != nil {
			return err
		}
		return syscall.Exec(exe, next, os.Environ())
	}
	switch a.Next {
	case "leader":
		return execute()
	case "thread":
		go func() {
			runtime.LockOSThread() // main has the main thread
			failed <- execute()
		}()
		return <-failed
	case "shell":
		next = append([]string{"sh", "-c", `"$0" leaf; exec "$0" "$@"`, exe}, next[1:]...)
		if exe, err = exec.LookPath("sh"); err != nil {
			return err
		}
		return execute()
	}
	return fmt.Errorf("no step %q", a.Next)
}

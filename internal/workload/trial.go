package workload

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// Head is what the account of every trial begins with.
type Head struct {
	Name       string `json:"name"`
	PID        int    `json:"pid"` // as every id here: in the trial's PID namespace; also the main thread's id
	GoVersion  string `json:"go_version"`
	GoMaxProcs int    `json:"gomaxprocs"` // as the trial began
	CPUs       int    `json:"cpus"`       // that the process may use
	Debug      string `json:"godebug"`    // GODEBUG of the environment

	Start int64 `json:"start_ns"` // CLOCK_MONOTONIC, as every stamp here
	End   int64 `json:"end_ns"`
}

func (h *Head) head() *Head { return h }

// Result is the account of a trial: a struct that embeds Head.
type Result interface{ head() *Head }

// performance returns what runs a trial to its end, once flags are parsed.
func performance(p program, flags *flag.FlagSet, hold *bool, self Self, stdin io.Reader, stdout io.Writer) func() error {
	run := p.trial(flags)
	return func() error {
		out := json.NewEncoder(stdout)
		if err := out.Encode(Ready{Ready: true, PID: os.Getpid(), Name: p.Name}); err != nil {
			return fmt.Errorf("print the ready line: %v", err)
		}
		var commands <-chan string
		if *hold {
			if commands = lines(stdin); <-commands != "go" {
				return nil
			}
		}
		h := Head{
			Name: p.Name, PID: os.Getpid(), GoVersion: runtime.Version(), GoMaxProcs: runtime.GOMAXPROCS(0), CPUs: runtime.NumCPU(),
			Debug: os.Getenv("GODEBUG"), Start: monotonic(),
		}
		self.head, self.out = h, out
		result, err := run(self)
		if err != nil {
			return err
		}
		h.End = monotonic()
		*result.head() = h
		if err := out.Encode(result); err != nil {
			return fmt.Errorf("print the account: %v", err)
		}
		if *hold {
			<-commands
		}
		return nil
	}
}

// Self is how a trial starts this program again, and the streams of its process.
type Self struct {
	before []string // what precedes the workload's name in its arguments; nil = unknown
	stderr io.Writer
	out    *json.Encoder // of stdout
	head   Head          // but for its end
}

// self knows the program from what Main got of its arguments.
func self(args []string, stderr io.Writer) Self {
	n := len(os.Args) - len(args)
	if n < 1 || strings.Join(os.Args[n:], "\x00") != strings.Join(args, "\x00") {
		return Self{stderr: stderr}
	}
	return Self{before: os.Args[1:n:n], stderr: stderr}
}

// command is this program with another trial to run. Trials end by themselves, so it can't outlive us for long.
func (s Self) command(args ...string) (*exec.Cmd, error) {
	if s.before == nil {
		return nil, errors.New("start myself again: the workload is not at the end of the program's arguments")
	}
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start myself again: %v", err)
	}
	cmd := exec.Command(path, append(append([]string{}, s.before...), args...)...)
	cmd.Args[0] = os.Args[0]
	cmd.Stderr = s.stderr
	return cmd, nil
}

// child runs a trial in a process of its own and decodes its account into result.
func (s Self) child(env []string, result interface{}, args ...string) error {
	cmd, err := s.command(args...)
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run %s: %v", strings.Join(args, " "), err)
	}
	return decodeLast(out, result)
}

// decodeLast decodes the line that follows a trial's Ready.
func decodeLast(out []byte, result interface{}) error {
	text := strings.TrimSpace(string(out))
	if err := json.Unmarshal([]byte(text[strings.LastIndexByte(text, '\n')+1:]), result); err != nil {
		return fmt.Errorf("read the account of a child: %v", err)
	}
	return nil
}

// threadCPU is the CPU time of the calling thread in nanoseconds. As monotonic, it is no point where a goroutine can be preempted.
//
//go:nosplit
func threadCPU() int64 {
	const clockThreadCPU = 3 // CLOCK_THREAD_CPUTIME_ID, include/uapi/linux/time.h
	return clockTime(clockThreadCPU)
}

// nap blocks the calling thread in a system call, which the runtime learns of as of any other. A signal cuts it short.
func nap(ns int64) {
	ts := syscall.NsecToTimespec(ns)
	_ = syscall.Nanosleep(&ts, nil) // only a signal can end it early
}

package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Self is the process of a trial: its streams, and how it starts this program again.
type Self struct {
	before []string // what precedes the workload's name in the program's arguments; nil = unknown
	stderr io.Writer
	out    *json.Encoder // of stdout
	head   Head          // without its end

	answers  func() <-chan string // of the observer, once claims are printed
	claiming *claiming
}

// claiming is the one claim at a time.
type claiming struct {
	sync.Mutex
	answers <-chan string // nil = no claim yet
}

// Claim shows an observer the locks that goroutines hold now, and returns when the observer has
// read the runtime's memory. Without workload.ClaimsVariable it does nothing.
func (s Self) Claim(locks ...workload.Claim) {
	if os.Getenv(workload.ClaimsVariable) == "" {
		return
	}
	s.claiming.Lock()
	defer s.claiming.Unlock()
	if s.claiming.answers == nil {
		s.claiming.answers = s.answers()
	}
	_ = s.out.Encode(workload.Claims{Claims: locks}) // the account fails, too
	<-s.claiming.answers
}

// Hold is the claim of the calling goroutine.
func Hold(depth int) workload.Claim {
	return workload.Claim{TID: syscall.Gettid(), GoID: probe.GoID(), Depth: depth}
}

// NewSelf finds the program's arguments before args, which are those of Main.
func NewSelf(args []string, stdout, stderr io.Writer) Self {
	s := Self{stderr: stderr, out: json.NewEncoder(stdout), claiming: new(claiming)}
	if n := len(os.Args) - len(args); n >= 1 && strings.Join(os.Args[n:], "\x00") == strings.Join(args, "\x00") {
		s.before = os.Args[1:n:n]
	}
	return s
}

// command is this program with another trial to run. Trials end by themselves, so it can't outlive
// this process for long.
func (s Self) command(args ...string) (*exec.Cmd, error) {
	if s.before == nil {
		return nil, errors.New("start this program again: the workload is not at the end of its arguments")
	}
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start this program again: %v", err)
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

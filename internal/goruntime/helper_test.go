package goruntime

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
)

// An account is the output of testdata/account: facts about its runtime.
type account struct {
	Version      string `json:"version"`
	GOMAXPROCS   int    `json:"gomaxprocs"`
	AsyncPreempt uint64 `json:"asyncPreempt"`
	CGO          bool   `json:"cgo"`
	Main         uint64 `json:"main"` // run-time addresses of main.main and others
	Hold         uint64 `json:"hold"`
	LockOSThread uint64 `json:"lockOSThread"`
	M0           uint64 `json:"m0"`
	AllM         uint64 `json:"allm"`

	// A thread that waits in a system call, locked once to a goroutine that started in main.hold.
	TID       uint64 `json:"tid"`
	ThreadPtr uint64 `json:"threadPtr"`
	G         uint64 `json:"g"`
	Goid      uint64 `json:"goid"`
}

// goBuild builds testdata/account with the Go installation at goroot and returns the file's path.
func goBuild(t *testing.T, goroot, ldflags string, args ...string) string {
	t.Helper()
	return testprog.Build(t, "testdata/account", goroot, ldflags+testprog.LinknameFlag(goroot), args...)
}

// gcc compiles testdata/host/host.c.
func gcc(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "host")
	cmd := exec.Command("gcc", append(args, "-o", out, "testdata/host/host.c", "-ldl")...)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, msg)
	}
	return out
}

// startAccount runs testdata/account, or a program that loads it, until the test ends.
func startAccount(t *testing.T, name string, args ...string) (*os.Process, account) {
	t.Helper()
	proc, lines := testprog.Start(t, name, args...)
	for lines.Scan() {
		var acc account
		if json.Unmarshal(lines.Bytes(), &acc) == nil {
			return proc, acc
		}
	}
	t.Fatalf("%s printed no account: %v", name, lines.Err())
	return nil, account{}
}

// readInfo opens and closes the runtime of process pid and returns its Info.
func readInfo(pid int) (*Info, error) {
	r, err := Open(pid, Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return &r.Info, nil
}

package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// account is what the processes of a tree print.
type account struct {
	PID, Parent, UID, Exited, Created, By, Children int
	Program, Next                                   string
	At                                              int64 `json:"at_ns"`
}

// output runs a command that prints accounts.
func output(t *testing.T, cmd *exec.Cmd) (accounts []account) {
	t.Helper()
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var a account
		if err := d.Decode(&a); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		accounts = append(accounts, a)
	}
	return accounts
}

// traced runs a command under the trace instance, and again under strace, and compares each run's
// accounts with that witness.
func traced(t *testing.T, command func() *exec.Cmd, check func(*testing.T, []account, []*witness.Process)) {
	t.Run("tracefs", func(t *testing.T) {
		testenv.Require(t, testenv.Tracefs)
		tree := witness.StartTree(t)
		accounts := output(t, command())
		time.Sleep(20 * time.Millisecond) // the last process may still end
		processes := ofTree(tree.Stop())
		compare(t, accounts, processes)
		check(t, accounts, processes)
	})
	t.Run("strace", func(t *testing.T) {
		testenv.Require(t, testenv.Strace)
		cmd := command()
		s := witness.StartStrace(t, cmd)
		accounts := output(t, cmd)
		processes := ofTree(s.Processes())
		compare(t, accounts, processes)
		check(t, accounts, processes)
	})
}

// compare compares each image of a process with the account that the process printed then, and wants
// each to have the other.
func compare(t *testing.T, accounts []account, processes []*witness.Process) {
	t.Helper()
	printed := map[int32][]account{}
	for _, a := range accounts {
		printed[int32(a.PID)] = append(printed[int32(a.PID)], a)
	}
	for _, p := range processes {
		if !p.Ended {
			t.Errorf("%+v has not ended", p)
		}
		for i, image := range p.Images {
			if !prints(p, image) {
				continue
			}
			if len(printed[p.PID]) == 0 {
				t.Errorf("no account of %+v, image %d of %+v", image, i, p)
				continue
			}
			a := printed[p.PID][0]
			printed[p.PID] = printed[p.PID][1:]
			checkImage(t, a, image)
			if last := i == len(p.Images)-1; last && image.Killed+image.Exited != image.Created+1 {
				t.Errorf("not every thread has ended: %+v", image)
			}
		}
	}
	for pid, left := range printed {
		if len(left) > 0 {
			t.Errorf("process %d: no witness of %+v", pid, left)
		}
	}
}

// prints reports whether an image has an account: one of a shell or cat has none, nor has a forked
// child until it executes a program, nor one that Go makes to try whether clone can give a pidfd
// (os/pidfd_linux.go, checkPidfd), which does nothing.
func prints(p *witness.Process, i witness.Image) bool {
	if i.Exe == "" {
		return len(p.Images) == 1 && i.Created > 0
	}
	return i.Program() != "sh" && i.Program() != "cat"
}

func checkImage(t *testing.T, a account, seen witness.Image) {
	t.Helper()
	created, timed := seen.Created, a.At > 0 && seen.Begin > 0
	if timed {
		created, _ = slices.BinarySearch(seen.Births, a.At)
	}
	// The runtime may make a thread after the account was made, or beside those of C.
	if seen.Exited != a.Exited || created < a.Created || timed && created > a.Created {
		t.Errorf("%+v\nthe witness has %+v", a, seen)
	}
}

// ofTree leaves out the children of Go's try for a pidfd.
func ofTree(processes []*witness.Process) []*witness.Process {
	return slices.DeleteFunc(processes, func(p *witness.Process) bool {
		return len(p.Images) == 1 && p.Last().Exe == "" && p.Last().Created == 0
	})
}

func treeCommand(t *testing.T, args ...string) func() *exec.Cmd {
	program := testenv.TreeProgram(t)
	return func() *exec.Cmd { return exec.Command(program, args...) }
}

func TestFan(t *testing.T) {
	const children = 40
	args, uid := []string{"fan", "-n", "40", "-at-once", "8"}, os.Getuid()
	if uid == 0 { // only root can change the user
		uid = 65534
		args = append(args, "-uid", "65534")
	}
	command := treeCommand(t, append(args, "--", "-threads", "2", "-live", "20ms")...)
	traced(t, command, func(t *testing.T, accounts []account, processes []*witness.Process) {
		if len(accounts) != children+1 || len(processes) != children+1 {
			t.Errorf("%d accounts, %d processes", len(accounts), len(processes))
		}
		root := processes[0].PID
		for _, a := range accounts {
			switch a.Program {
			case "fan":
				if a.Children != children || a.PID != int(root) {
					t.Errorf("%+v of process %d", a, root)
				}
			case "leaf":
				if a.Parent != int(root) || a.UID != uid || a.Exited != 2 {
					t.Errorf("%+v below %d", a, root)
				}
			}
		}
		for _, p := range processes[1:] {
			if p.Parent != root || len(p.Images) != 2 || p.Images[0].Created != 0 || p.Images[0].Exe != "" {
				t.Errorf("%+v", p)
			}
		}
	})
}

// A process that executes programs is one process with several images, whichever thread does it.
func TestChain(t *testing.T) {
	command := treeCommand(t, "chain", "thread", "leader", "shell", "thread", "--", "-threads", "2")
	traced(t, command, func(t *testing.T, accounts []account, processes []*witness.Process) {
		if len(accounts) != 6 || len(processes) != 2 {
			t.Fatalf("accounts %+v\nprocesses %+v", accounts, processes)
		}
		chain := processes[0]
		var programs []string
		for _, i := range chain.Images {
			programs = append(programs, i.Program())
		}
		if got := strings.Join(programs, " "); got != ". tree tree tree sh tree tree" {
			t.Fatalf("images: %s", got)
		}
		for image, a := range map[int]account{2: accounts[0], 3: accounts[1], 4: accounts[2], 6: accounts[4]} {
			i := chain.Images[image]
			if int(i.By) != a.By || (a.By == a.PID) != (a.Next != "thread") {
				t.Errorf("image %+v after %+v", i, a)
			}
			if before := chain.Images[image-1]; before.Created != before.Exited+before.Killed {
				t.Errorf("all threads but one end with an exec: %+v", before)
			}
		}
	})
}

// Processes that fork without exec, and those that C starts in each way.
func TestForks(t *testing.T) {
	program := testenv.TreeProgram(t)
	forks := testenv.CProgram(t, filepath.Join("testdata", "forks.c"))
	command := func() *exec.Cmd { return exec.Command(forks, program, "leaf", "-threads", "3") }
	traced(t, command, func(t *testing.T, accounts []account, processes []*witness.Process) {
		if len(accounts) != 5 || len(processes) != 5 {
			t.Fatalf("accounts %+v\nprocesses %+v", accounts, processes)
		}
		if p := processes[1]; len(p.Images) != 1 || p.Last().Exe != "" || p.Last().Exited != 4 {
			t.Errorf("fork without exec: %+v", p)
		}
		for _, p := range processes[2:] {
			if p.Parent != processes[0].PID || len(p.Images) != 2 || p.Last().Exe != program {
				t.Errorf("%+v", p)
			}
		}
	})
}

func TestForksInCgo(t *testing.T) {
	program := testenv.CgoTreeProgram(t)
	// The shell is the parent of both, and waits for the pipe's end: the second process outlives its maker.
	command := func() *exec.Cmd { return exec.Command("sh", "-c", "{ "+program+"; } | cat") }
	traced(t, command, func(t *testing.T, accounts []account, processes []*witness.Process) {
		by := map[string]account{}
		for _, a := range accounts {
			by[a.Program] = a
		}
		if len(accounts) != 3 || len(by) != 3 {
			t.Fatalf("%+v", accounts)
		}
		first, child, host := by["constructor"], by["fork"], by["go"]
		if host.Parent != first.Parent || child.Parent != host.PID {
			t.Errorf("%+v", accounts)
		}
		for _, p := range processes {
			switch int(p.PID) {
			case host.PID: // its maker is not its parent (CLONE_PARENT)
				if int(p.Parent) != first.PID || len(p.Images) != 1 {
					t.Errorf("%+v", p)
				}
			case child.PID:
				if int(p.Parent) != host.PID || len(p.Images) != 1 || p.Last().Created != 4 {
					t.Errorf("%+v", p)
				}
			}
		}
	})
}

// A shell starts programs by a pipe, in the background and in its own place.
func TestShell(t *testing.T) {
	program := testenv.TreeProgram(t)
	script := `"$0" leaf -threads 1 & "$0" leaf -threads 2 | cat; wait; exec "$0" leaf -threads 4`
	command := func() *exec.Cmd { return exec.Command("sh", "-c", script, program) }
	traced(t, command, func(t *testing.T, accounts []account, processes []*witness.Process) {
		var exited []int
		for _, a := range accounts {
			exited = append(exited, a.Exited)
		}
		slices.Sort(exited)
		if !slices.Equal(exited, []int{1, 2, 4}) || len(processes) != 4 || processes[0].Last().Exited != 4 {
			t.Errorf("accounts %+v\nprocesses %+v", accounts, processes)
		}
	})
}

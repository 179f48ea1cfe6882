package launch

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// holder makes the test binary start a program that waits, and print its PID. Its value is the program's
// first argument.
const holder = "LAUNCH_TEST_HOLDER"

// dropping makes it another user's program.
const dropping = "LAUNCH_TEST_DROPPING"

func init() {
	if code, is := Help(os.Args); is {
		os.Exit(code)
	}
}

func TestMain(m *testing.M) {
	argument := os.Getenv(holder)
	if argument == "" {
		os.Exit(m.Run())
	}
	command := &Command{Args: []string{"sleep", argument}}
	if os.Getenv(dropping) != "" {
		command.User = &Credential{UID: 65534, GID: 65534, Groups: []uint32{65534}}
	}
	child, err := Start(command)
	if err != nil {
		panic(err)
	}
	fmt.Println(child.PID)
	select {}
}

func start(t *testing.T, args ...string) *Child {
	t.Helper()
	child, err := Start(&Command{Args: args})
	if err != nil {
		t.Fatal(err)
	}
	return child
}

// The program has not begun before Release, and is the same process after it.
func TestRelease(t *testing.T) {
	file := filepath.Join(t.TempDir(), "began")
	child := start(t, "sh", "-c", `echo $$ "$0" >`+file+"; exit 7", "an argument")
	status, err := procfs.Process(child.PID).Status()
	if err != nil || status.State != 't' || status.TracerPID == 0 {
		t.Errorf("before its first instruction it is %c, traced by %d, %v", status.State, status.TracerPID, err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it has begun")
	}
	if err := child.Release(); err != nil {
		t.Fatal(err)
	}
	if code, err := child.Wait(); code != 7 || err != nil {
		t.Errorf("exit code %d, %v; want 7", code, err)
	}
	text, err := os.ReadFile(file)
	if want := fmt.Sprintf("%d an argument\n", child.PID); err != nil || string(text) != want {
		t.Errorf("it wrote %q, %v; want %q", text, err, want)
	}
}

func TestSignal(t *testing.T) {
	child := start(t, "sleep", "600")
	if err := child.Release(); err != nil {
		t.Fatal(err)
	}
	if err := child.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code, err := child.Wait(); code != 128+15 || err != nil {
		t.Errorf("exit code %d, %v; want 143", code, err)
	}
	if err := child.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to a program that has ended: %v", err)
	}
}

// AwaitStop tells each stop that lasts, and the end.
func TestAwaitStop(t *testing.T) {
	testenv.Require(t, testenv.Shell)
	child := start(t, "sh", "-c", "kill -STOP $$; kill -STOP $$")
	if err := child.Release(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !child.AwaitStop() {
			t.Fatal("its stop was not seen")
		}
		if err := child.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	if child.AwaitStop() {
		t.Error("a stop was seen after its end")
	}
	if code, err := child.Wait(); code != 0 || err != nil {
		t.Errorf("exit code %d, %v; want 0", code, err)
	}
}

func TestKill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "began")
	child := start(t, "touch", file)
	if err := child.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it has begun")
	}
	if err := syscall.Kill(child.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it is still there: %v", err)
	}
}

// A program that waits does not outlive the process that started it.
func TestStarterKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), holder+"=600")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid == 0 {
		t.Fatalf("%q, %v", line, err)
	}
	if err := errors.Join(cmd.Process.Kill(), ignoreExit(cmd.Wait())); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if status, err := procfs.Process(pid).Status(); err != nil || status.State == 'Z' {
			return
		}
	}
	t.Errorf("process %d is left", pid)
}

// Nothing is left if the starter is killed at any moment until Release: between the fork and the stop, or
// before or after the change of the user.
func TestStarterKilledAtAnyMoment(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, drops := range []bool{false, true} {
		if drops {
			testenv.Require(t, testenv.Root)
		}
		argument := fmt.Sprintf("600.%06d%d", os.Getpid()%1e6, map[bool]int{true: 1}[drops])
		held := 0
		for i := range 100 {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), holder+"="+argument)
			if drops {
				cmd.Env = append(cmd.Env, dropping+"=1")
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(i) * 300 * time.Microsecond)
			if len(processesWith(t, argument, cmd.Process.Pid)) > 0 {
				held++
			}
			if err := errors.Join(cmd.Process.Kill(), ignoreExit(cmd.Wait())); err != nil {
				t.Fatal(err)
			}
		}
		if held == 0 {
			t.Error("no program was held when its starter was killed")
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			left := processesWith(t, argument, 0)
			if len(left) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("another user's: %v: processes %v are left", drops, left)
			}
		}
	}
}

// processesWith lists the processes with an argument, but for one and for zombies.
func processesWith(t *testing.T, argument string, but int) (pids []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == but {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline") // empty for a zombie
		if err == nil && strings.Contains(string(line), "\x00"+argument+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

func ignoreExit(err error) error {
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return nil
	}
	return err
}

// That a program was killed while it waited is no error: Wait tells it.
func TestKilledByOther(t *testing.T) {
	child := start(t, "sleep", "600")
	if err := syscall.Kill(child.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := child.Release(); err != nil {
		t.Error(err)
	}
	if code, err := child.Wait(); code != 128+9 || err != nil {
		t.Errorf("exit code %d, %v; want 137", code, err)
	}
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	written, err := os.OpenFile(write("written", "", 0o755), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer written.Close() // until then it can't be executed
	for _, tt := range []struct {
		command string
		want    error
	}{
		{written.Name(), ErrNotExecutable},
		{"no-such-command", ErrNotFound},
		{dir + "/none", ErrNotFound},
		{dir, ErrNotExecutable},
		{write("plain", "text", 0o644), ErrNotExecutable},
		{"", ErrNotFound},
		{write("script", "#!/no/such/interpreter\n", 0o755), ErrNotFound},
	} {
		if _, err := Start(&Command{Args: []string{tt.command}}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.command, err, tt.want)
		}
	}
}

// A script without #! is run by the shell, as by execvp(3).
func TestPlainScript(t *testing.T) {
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte("exit $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	child := start(t, file, "6")
	if err := child.Release(); err != nil {
		t.Fatal(err)
	}
	if code, err := child.Wait(); code != 6 || err != nil {
		t.Errorf("exit code %d, %v; want 6", code, err)
	}
}

// What goes wrong in the process that changes the user is told apart as without it.
func TestMistakesOfUser(t *testing.T) {
	testenv.Require(t, testenv.Root)
	file := filepath.Join(t.TempDir(), "script") // in a directory that only its owner may enter
	if err := os.WriteFile(file, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	nobody := &Credential{UID: 65534, GID: 65534}
	if _, err := Start(&Command{Args: []string{file}, User: nobody}); !errors.Is(err, ErrNotExecutable) {
		t.Errorf("%v, want %v", err, ErrNotExecutable)
	}
	root := &Credential{}
	if _, err := Start(&Command{Args: []string{file}, User: root}); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v, want %v", err, ErrNotFound)
	}
	invalid := &Credential{UID: ^uint32(0)}
	if _, err := Start(&Command{Args: []string{"true"}, User: invalid}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("%v, want %v", err, syscall.EINVAL)
	}
}

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
)

// holder makes the test binary start a program that waits, and print its PID.
const holder = "LAUNCH_TEST_HOLDER"

func TestMain(m *testing.M) {
	if os.Getenv(holder) == "" {
		os.Exit(m.Run())
	}
	child, err := Start(&Command{Args: []string{"sleep", "600"}})
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
	cmd.Env = append(os.Environ(), holder+"=1")
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

func ignoreExit(err error) error {
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return nil
	}
	return err
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
	for _, tt := range []struct {
		command string
		want    error
	}{
		{"no-such-command", ErrNotFound},
		{dir + "/none", ErrNotFound},
		{dir, ErrNotExecutable},
		{write("plain", "text", 0o644), ErrNotExecutable},
		{write("empty", "", 0o755), ErrNotExecutable},
		{write("script", "#!/no/such/interpreter\n", 0o755), ErrNotFound},
	} {
		if _, err := Start(&Command{Args: []string{tt.command}}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.command, err, tt.want)
		}
	}
}

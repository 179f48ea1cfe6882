package testenv

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// recorder is a testing.TB that notes what is done to it. Methods it does not have panic.
type recorder struct {
	testing.TB
	skipped, fatal string
	errors, logs   []string
	cleanups       []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// record runs a test to where it ends or gives up, and then its cleanups.
func record(test func(testing.TB)) *recorder {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	return r
}

func TestLeakCheck(t *testing.T) {
	var left *os.File
	for _, c := range []struct {
		name  string
		tests func() int
		code  int
		want  string
	}{
		{"clean", func() int { return 0 }, 0, ""},
		{"clean but failed", func() int { return 3 }, 3, ""},
		{"leak", func() int {
			var err error
			if left, err = os.Open("/proc/self/status"); err != nil {
				t.Fatal(err)
			}
			return 0
		}, 1, "/status"},
		{"late close", func() int {
			f, err := os.Open("/proc/self/status")
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(20*time.Millisecond, func() { f.Close() })
			return 0
		}, 0, ""},
	} {
		var stderr strings.Builder
		grace := 5 * time.Second
		if c.want != "" {
			grace = 0
		}
		code := leakCheck(&stderr, grace, c.tests)
		if code != c.code || !strings.Contains(stderr.String(), c.want) || (c.want == "") != (stderr.String() == "") {
			t.Errorf("%s: exit code %d and %q, want %d and %q", c.name, code, &stderr, c.code, c.want)
		}
	}
	if err := left.Close(); err != nil {
		t.Error(err)
	}
}

package testenv

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

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

package measure

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCPUTime wants the clock that names this process to be its own.
func TestCPUTime(t *testing.T) {
	for began := time.Now(); time.Since(began) < 20*time.Millisecond; {
	}
	var before, after unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &before)
	got, gotErr := CPUTime(os.Getpid())
	if err == nil {
		err = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &after)
	}
	if err != nil || gotErr != nil {
		t.Fatal(err, gotErr)
	}
	if int64(got) < before.Nano() || int64(got) > after.Nano() {
		t.Errorf("%d ns, this process's clock gives %d to %d", got, before.Nano(), after.Nano())
	}
}

func TestOwnFigures(t *testing.T) {
	if rss, err := RSSAnon(os.Getpid()); err != nil || rss < 100<<10 || rss > 10<<30 {
		t.Errorf("%d bytes, %v", rss, err)
	}
	before, err := FDs(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if after, err := FDs(os.Getpid()); err != nil || after != before+1 {
		t.Errorf("%d file descriptors, then one more: %d, %v", before, after, err)
	}
	if n := Hooks(os.Getpid()); n != 0 {
		t.Errorf("this process holds %d hooks", n)
	}
}

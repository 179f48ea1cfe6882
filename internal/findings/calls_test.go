package findings

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/correlate"
)

func TestInterruptedCalls(t *testing.T) {
	info, warn := []string{"interrupted-calls info"}, []string{"interrupted-calls warn"}
	calls := func(number int, n uint64) func(*correlate.Result, *About) {
		return func(r *correlate.Result, _ *About) {
			r.Calls = []correlate.InterruptedCall{{Number: number, Interrupted: n, InterruptedLocked: n,
				Threads: []correlate.ThreadCalls{{TID: r.Threads[8].TID, N: n}}}}
		}
	}
	run(t, []scenario{
		{"seldom", 60, calls(unix.SYS_NANOSLEEP, 10), info},
		{"by chance", 60, calls(unix.SYS_NANOSLEEP, 9), nil},
		{"all the time", 60, calls(unix.SYS_NANOSLEEP, 60), warn},
		{"the runtime calls again", 60, calls(unix.SYS_EPOLL_PWAIT, 1000), nil},
		{"so does the C library", 60, calls(unix.SYS_FUTEX, 1000), nil},
		{"begun again", 60, func(r *correlate.Result, _ *About) {
			r.Calls = []correlate.InterruptedCall{{Number: unix.SYS_READ, Restarted: 1000}}
		}, nil},
	})
	r, a := healthy(10), about
	calls(unix.SYS_NANOSLEEP, 100)(r, &a)
	f := find(r, a)[0]
	const want = "nanosleep(2) returned EINTR 100 times in 10 s (10/s): the Go runtime sent SIGURG, to preempt a " +
		"goroutine, to a thread that waited in it; most of all tid 108 (100 times) of gl.(*Loop).run"
	if f.Message != want || f.Evidence["function"] != "example.com/app/gl.(*Loop).run" ||
		f.Evidence["interrupted_locked"] != uint64(100) {
		t.Errorf("%s\n%v", f.Message, f.Evidence)
	}
}

package holders

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime"
)

func TestFunction(t *testing.T) {
	for _, c := range []struct {
		stack     []string // innermost first
		name, via string
	}{
		{[]string{"syscall.Syscall", "syscall.read", "syscall.Read", "main.work", "main.main"}, "main.work", "syscall.Read"},
		{[]string{"golang.org/x/sys/unix.read", "golang.org/x/sys/unix.Read", "example.com/a/b.(*T).f", "main.main"},
			"example.com/a/b.(*T).f", "golang.org/x/sys/unix.Read"},
		{[]string{"internal/poll.(*FD).Read", "os.(*File).Read", "burst/internal/x.F"}, "burst/internal/x.F",
			"os.(*File).Read"},
		{[]string{"runtime.cgocall", "gl._Cfunc_swap", "gl.Swap", "main.main"}, "main.main", "gl.Swap"},
		{[]string{"runtime.cgocall", "main._Cfunc_swap", "main.draw"}, "main.draw", "main._Cfunc_swap"},
		{[]string{"runtime.cgocall", "main._Cfunc_swap", "main.draw.func1"}, "main.draw.func1", "main._Cfunc_swap"},
		{[]string{"main.spin"}, "main.spin", ""},
		{[]string{"os/signal.signal_recv", "os/signal.loop"}, "", ""},
		{nil, "", ""},
	} {
		var frames []goruntime.Frame
		for _, f := range c.stack {
			frames = append(frames, goruntime.Frame{Func: f})
		}
		r := &Reader{own: "burst"}
		if name, via := r.function(frames); name != c.name || via != c.via {
			t.Errorf("%q: %q, %q; want %q, %q", c.stack, name, via, c.name, c.via)
		}
	}
}

func TestCFunction(t *testing.T) {
	for want, stack := range map[string][]goruntime.Frame{
		"swap": {{Func: "runtime.cgocall"}, {Func: "example.com/gl._Cfunc_swap"}},
		"":     {{Func: "runtime.cgocall"}, {Func: "runtime.other"}},
	} {
		if got := cFunction(stack); got != want {
			t.Errorf("%v: %q", stack, got)
		}
	}
	if got := cFunction(nil); got != "" {
		t.Errorf("no stack: %q", got)
	}
}

// TestLimit: what is not read in time is unknown, and a warning.
func TestLimit(t *testing.T) {
	r := NewReader(1, nil, nil)
	r.Begin(-1)
	if h := r.Read(1, &goruntime.M{G: 8, Lock: goruntime.LockNone}, false); h.Use != Unknown || len(r.Warnings()) != 1 {
		t.Errorf("%+v, %q", h, r.Warnings())
	}
	r.Begin(1 << 40)
	if h := r.Read(1, &goruntime.M{Lock: goruntime.LockNone}, false); h.Use != Runtime || len(r.Warnings()) != 0 {
		t.Errorf("%+v, %q", h, r.Warnings())
	}
}

// TestEnded: a thread that has ended since its M was read holds nothing, whatever the M was.
func TestEnded(t *testing.T) {
	const tid = 1 << 30 // above the kernel's limit
	r := NewReader(os.Getpid(), nil, nil)
	r.Begin(time.Minute)
	for _, m := range []goruntime.M{{Lock: goruntime.LockNone}, {G: 8, Lock: goruntime.LockUser},
		{Lock: goruntime.LockExiting}} {
		if h := r.Read(tid, &m, true); h.Use != Ended {
			t.Errorf("%+v: %+v", m, h)
		}
	}
	for _, foreign := range []bool{false, true} {
		if h := r.Without(tid, true, foreign); h.Use != Ended {
			t.Errorf("foreign %t: %+v", foreign, h)
		}
	}
	own := int32(unix.Gettid()) // perhaps another thread's by now: it lives
	if h := r.Without(own, true, true); h.Use != Foreign {
		t.Errorf("a thread that lives: %+v", h)
	}
	if h := r.Without(own, true, false); h.Use != Unknown {
		t.Errorf("a thread that may have an M: %+v", h)
	}
}

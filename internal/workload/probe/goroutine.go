package probe

import (
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// GoID is the id of the calling goroutine, from the first line of its trace: "goroutine 18
// [running]:".
func GoID() int64 {
	var buf [64]byte
	fields := strings.Fields(string(buf[:runtime.Stack(buf[:], false)]))
	if len(fields) < 2 {
		return 0
	}
	id, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// Successor is the thread of a goroutine that the caller starts and waits for. As a rule it is the
// caller's own, because the caller leaves its thread to the next goroutine; it never is while the
// caller is locked.
func Successor() int {
	tid := make(chan int)
	go func() { tid <- syscall.Gettid() }()
	return <-tid
}

// Entry is the full name of the function that the calling goroutine was started with. For go f(x)
// that is f. Since Go 1.17 the goroutine begins in a wrapper without arguments, which tracebacks
// leave out.
func Entry() string {
	calls := Calls(0)
	return calls[len(calls)-1]
}

// Calls lists the full names of the functions on the stack of the calling goroutine, the innermost
// first, without its callee Calls and the next skip ones.
func Calls(skip int) (names []string) {
	var pcs [128]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(skip+2, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function != "" && f.Function != "runtime.goexit" {
			names = append(names, f.Function)
		}
		if !more {
			return names
		}
	}
}

// Collections is the number of garbage collections that have ended. ReadGCStats does not stop the
// world, so counting sends no signals.
func Collections() uint64 {
	var st debug.GCStats
	debug.ReadGCStats(&st)
	return uint64(st.NumGC)
}

// Pauses is how long each of the last n collections stopped the world, the latest first.
func Pauses(n uint64) []int64 {
	var st debug.GCStats
	debug.ReadGCStats(&st)
	if uint64(len(st.Pause)) < n {
		n = uint64(len(st.Pause)) // the runtime keeps 256
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(st.Pause[i])
	}
	return list
}

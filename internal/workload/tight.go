package workload

import (
	"flag"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// Tight is the account of the trial tight.
type Tight struct {
	Head
	Chunk int64       `json:"chunk_ns"` // CPU time that a chunk was meant to take
	Loops []TightLoop `json:"loops"`
}

// TightLoop is a loop without calls, in chunks of one length of work. Between two chunks there are calls, at which a
// goroutine can be preempted without a signal; so a loop that no signal preempts still ends.
type TightLoop struct {
	Locked  bool         `json:"locked"`
	Disturb string       `json:"disturb"` // none: only the scheduler's time slice; stop: the world is stopped; gc: collections
	GoID    int64        `json:"goid"`
	TID     int          `json:"tid"`
	Chunks  []TightChunk `json:"chunks"`
	Stops   []TightStop  `json:"stops"` // from the request to its end; those that began between the first chunk and the last; the first 1000
	GCs     uint64       `json:"gcs"`   // collections that ended between the first chunk and the last
}

// TightStop is a stop of the world, or a collection.
type TightStop struct {
	Span
	Wait int64 `json:"wait_ns"` // of this, the one who asked for it waited for a CPU; -1 = unknown, as of every collection
}

// TightChunk is a chunk: what its wall time exceeds its CPU time by, it waited.
type TightChunk struct {
	From   int64 `json:"from_ns"`
	To     int64 `json:"to_ns"`
	TID    int   `json:"tid"`     // at To
	CPU    int64 `json:"cpu_ns"`  // of the thread; -1, as the three below, when it was another at From
	Wait   int64 `json:"wait_ns"` // what the thread waited for a CPU; -1 as well where the kernel does not say
	Waits  int64 `json:"waits"`   // voluntary context switches of the thread; a preempted goroutine's hand-off back to it is none where it came before the thread slept
	Thrown int64 `json:"thrown"`  // involuntary ones
}

// tight has loops without calls, locked and not, run undisturbed, under stops of the world and under collections.
func tight(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 2, "loops of each kind, 1 or more")
	chunks := flags.Int("chunks", 6, "chunks in a loop, 1 or more")
	length := flags.Duration("chunk", 20*time.Millisecond, "length of a chunk, more than 0")
	pace := flags.Duration("pace", 2*time.Millisecond, "pause between two disturbances")
	skip := flags.Bool("skip-lock", false, "leave out LockOSThread")
	calls := flags.Bool("with-calls", false, "call a function every few microseconds: the loop needs no signal")
	return func(Self) (Result, error) {
		if *rounds < 1 || *chunks < 1 || *length <= 0 || *pace < 0 {
			return nil, Mistake("-rounds, -chunks and -chunk must be more than 0 and -pace not negative")
		}
		if runtime.GOMAXPROCS(0) < 2 { // the one who disturbs needs a P
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		}
		a := &Tight{Chunk: int64(*length)}
		turns := spinTurns(*length)
		for i := 0; i < *rounds; i++ {
			for _, disturb := range []string{"none", "stop", "gc"} {
				for _, locked := range []bool{true, false} {
					l := TightLoop{Locked: locked, Disturb: disturb, Chunks: make([]TightChunk, *chunks), Stops: []TightStop{}}
					l.run(turns, locked, *skip, *calls, *pace)
					a.Loops = append(a.Loops, l)
				}
			}
		}
		return a, nil
	}
}

// spinTurns is how many rounds of spin take a time, by the fastest of a few tries.
func spinTurns(d time.Duration) int {
	const turns = 1000000
	best := int64(0)
	for i := 0; i < 7; i++ {
		start := threadCPU()
		spin(turns)
		if took := threadCPU() - start; took > 0 && (best == 0 || took < best) {
			best = took
		}
	}
	return int(int64(d) * turns / best)
}

func (l *TightLoop) run(turns int, lock, skip, calls bool, pace time.Duration) {
	begun, ended := make(chan struct{}), make(chan struct{})
	gcs := collections()
	go func() {
		defer close(ended)
		if lock && !skip {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		l.GoID, l.TID = goid(), syscall.Gettid()
		close(begun)
		for i := range l.Chunks {
			l.Chunks[i] = tightChunk(turns, calls)
		}
		l.GCs = collections() - gcs
	}()
	<-begun
	var stops []TightStop
	for l.Disturb != "none" && !closed(ended) {
		if l.Disturb == "gc" {
			span := Span{From: monotonic()}
			runtime.GC()
			span.To = monotonic()
			stops = append(stops, TightStop{span, -1})
		} else {
			stops = append(stops, stopTimed(!skip))
		}
		time.Sleep(pace)
	}
	<-ended
	first, last := l.Chunks[0].From, l.Chunks[len(l.Chunks)-1].To
	for _, span := range stops {
		if span.From >= first && span.From < last && len(l.Stops) < maxSpans {
			l.Stops = append(l.Stops, span)
		}
	}
}

// stopTimed stops the world. Locked, it stays on the thread whose wait is measured, however long that lasts.
func stopTimed(lock bool) TightStop {
	if lock {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	var m runtime.MemStats
	meter := newDelayMeter()
	s := TightStop{Span: Span{From: monotonic()}}
	runtime.ReadMemStats(&m)
	s.To = monotonic()
	s.Wait = meter.waited()
	return s
}

func tightChunk(turns int, calls bool) TightChunk {
	var from, to syscall.Rusage
	meter := newDelayMeter() // first, as it is read last: it reads files, whereafter the goroutine may be on another thread
	tid := syscall.Gettid()
	threadUsage(&from)
	c := TightChunk{From: monotonic()}
	cpu := threadCPU() // between the two readings of the wall clock, so that it is never more than these say
	if calls {
		const slice = 5000
		for n := turns; n > 0; n -= slice {
			spinSlice(slice)
		}
	} else {
		spin(turns)
	}
	c.CPU = threadCPU() - cpu
	c.To = monotonic()
	threadUsage(&to)
	c.TID = syscall.Gettid()
	c.Wait = meter.waited()
	c.Waits, c.Thrown = to.Nvcsw-from.Nvcsw, to.Nivcsw-from.Nivcsw
	if tid != meter.tid {
		c.Wait = -1
	}
	if c.TID != tid {
		c.CPU, c.Wait, c.Waits, c.Thrown = -1, -1, -1, -1
	}
	return c
}

// spinSlice has a frame, so that its beginning is a point where the goroutine can be preempted.
//
//go:noinline
func spinSlice(n int) {
	var frame [1024]byte
	frame[n%len(frame)] = 1
	spin(n)
	runtime.KeepAlive(&frame)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// threadUsage is what the calling thread has used.
func threadUsage(u *syscall.Rusage) {
	const rusageThread = 1                                                                           // RUSAGE_THREAD, include/uapi/linux/resource.h
	_, _, _ = syscall.RawSyscall(syscall.SYS_GETRUSAGE, rusageThread, uintptr(unsafe.Pointer(u)), 0) // cannot fail with these arguments
}

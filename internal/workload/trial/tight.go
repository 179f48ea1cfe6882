package trial

import (
	"flag"
	"runtime"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// Tight is the account of the trial tight.
type Tight struct {
	Head
	Chunk int64       `json:"chunk_ns"` // CPU time that a chunk was meant to take
	Loops []TightLoop `json:"loops"`
}

// TightLoop is a loop without calls, in chunks of equal work. Between two chunks there are calls,
// at which a goroutine can be preempted without a signal. So a loop that no signal preempts still
// ends.
type TightLoop struct {
	Locked bool `json:"locked"`
	// Disturb is "none": only the scheduler's time slice; "stop": the world is stopped; or "gc":
	// collections.
	Disturb string       `json:"disturb"`
	GoID    int64        `json:"goid"`
	TID     int          `json:"tid"`
	Chunks  []TightChunk `json:"chunks"`
	Stops   []TightStop  `json:"stops"` // that began between the first chunk and the last, the first 1000
	GCs     uint64       `json:"gcs"`   // collections that ended between the first chunk and the last
}

// TightStop is a stop of the world, or a collection: from the request to its end.
type TightStop struct {
	Interval
	// Wait is how long the requesting goroutine waited for a CPU in it; -1 = unknown, as for every
	// collection.
	Wait int64 `json:"wait_ns"`
}

// TightChunk is a chunk. The difference of its wall time and its CPU time is how long it waited.
type TightChunk struct {
	From int64 `json:"from_ns"`
	To   int64 `json:"to_ns"`
	TID  int   `json:"tid"` // at To
	// Successor is probe.Successor after the chunk.
	Successor int   `json:"successor_tid"`
	CPU       int64 `json:"cpu_ns"`  // of the thread; -1, as the three below, when it was another at From
	Wait      int64 `json:"wait_ns"` // how long the thread waited for a CPU; -1 also where the kernel does not count it
	// Context switches of the thread. A preempted goroutine is handed back to its thread; that is
	// no voluntary switch when it comes before the thread sleeps.
	Voluntary   int64 `json:"voluntary"`
	Involuntary int64 `json:"involuntary"`
}

// tight runs loops without calls, locked and not, undisturbed, under stops of the world and under
// collections.
func tight(flags *flag.FlagSet) func(Self) (Result, error) {
	rounds := flags.Int("rounds", 2, "loops of each kind, 1 or more")
	chunks := flags.Int("chunks", 6, "chunks in a loop, 1 or more")
	length := flags.Duration("chunk", 20*time.Millisecond, "length of a chunk, more than 0")
	pace := flags.Duration("pace", 2*time.Millisecond, "pause between two disturbances")
	lock := probe.LockFlags(flags)
	calls := flags.Bool("with-calls", false, "call a function every few microseconds: the loop needs no signal")
	return func(self Self) (Result, error) {
		if *rounds < 1 || *chunks < 1 || *length <= 0 || *pace < 0 {
			return nil, workload.Mistake("-rounds, -chunks and -chunk must be more than 0 and -pace not negative")
		}
		if runtime.GOMAXPROCS(0) < 2 { // the disturbing goroutine needs a P
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		}
		a := &Tight{Chunk: int64(*length)}
		turns := spinTurns(*length)
		for i := 0; i < *rounds; i++ {
			for _, disturb := range []string{"none", "stop", "gc"} {
				for _, locked := range []bool{true, false} {
					l := TightLoop{Locked: locked, Disturb: disturb, Chunks: make([]TightChunk, *chunks), Stops: []TightStop{}}
					l.run(self, turns, locked, lock, *calls, *pace)
					a.Loops = append(a.Loops, l)
				}
			}
		}
		return a, nil
	}
}

// spinTurns is how many rounds of work.Spin take a time, by the fastest of a few tries.
func spinTurns(d time.Duration) int {
	const turns = 1000000
	best := int64(0)
	for i := 0; i < 7; i++ {
		start := probe.ThreadCPU()
		work.Spin(turns)
		if took := probe.ThreadCPU() - start; took > 0 && (best == 0 || took < best) {
			best = took
		}
	}
	return int(int64(d) * turns / best)
}

func (l *TightLoop) run(self Self, turns int, locked bool, lock *probe.Locks, calls bool, pace time.Duration) {
	begun, ended := make(chan struct{}), make(chan struct{})
	gcs := probe.Collections()
	go func() {
		defer close(ended)
		if locked {
			if lock.Next() {
				runtime.LockOSThread()
			}
			defer runtime.UnlockOSThread()
			self.Claim(Hold(1))
		}
		l.GoID, l.TID = probe.GoID(), syscall.Gettid()
		close(begun)
		for i := range l.Chunks {
			l.Chunks[i] = tightChunk(turns, calls)
			l.Chunks[i].Successor = probe.Successor()
		}
		l.GCs = probe.Collections() - gcs
	}()
	<-begun
	var stops []TightStop
	for l.Disturb != "none" && !closed(ended) {
		if l.Disturb == "gc" {
			cycle := Interval{From: probe.Now()}
			runtime.GC()
			cycle.To = probe.Now()
			stops = append(stops, TightStop{cycle, -1})
		} else {
			stops = append(stops, stopTimed(lock.Next()))
		}
		time.Sleep(pace)
	}
	<-ended
	first, last := l.Chunks[0].From, l.Chunks[len(l.Chunks)-1].To
	for _, stop := range stops {
		if stop.From >= first && stop.From < last && len(l.Stops) < maxIntervals {
			l.Stops = append(l.Stops, stop)
		}
	}
}

// stopTimed stops the world. If locked, it stays on the thread whose wait is measured.
func stopTimed(lock bool) TightStop {
	if lock {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	var m runtime.MemStats
	meter := probe.NewDelayMeter()
	s := TightStop{Interval: Interval{From: probe.Now()}}
	runtime.ReadMemStats(&m)
	s.To = probe.Now()
	s.Wait = meter.Waited()
	return s
}

func tightChunk(turns int, calls bool) TightChunk {
	var from, to syscall.Rusage
	// The meter is read first, and last below: it reads files, after which the goroutine may be on
	// another thread.
	meter := probe.NewDelayMeter()
	tid := syscall.Gettid()
	probe.ThreadUsage(&from)
	c := TightChunk{From: probe.Now()}
	// CPU time is read between the two readings of the wall clock, so that it is never more than
	// their difference.
	cpu := probe.ThreadCPU()
	if calls {
		const slice = 5000
		for n := turns; n > 0; n -= slice {
			spinSlice(slice)
		}
	} else {
		work.Spin(turns)
	}
	c.CPU = probe.ThreadCPU() - cpu
	c.To = probe.Now()
	probe.ThreadUsage(&to)
	c.TID = syscall.Gettid()
	c.Wait = meter.Waited()
	c.Voluntary, c.Involuntary = to.Nvcsw-from.Nvcsw, to.Nivcsw-from.Nivcsw
	if tid != meter.TID {
		c.Wait = -1
	}
	if c.TID != tid {
		c.CPU, c.Wait, c.Voluntary, c.Involuntary = -1, -1, -1, -1
	}
	return c
}

// spinSlice has a frame, so that its beginning is a point where the goroutine can be preempted.
//
//go:noinline
func spinSlice(n int) {
	var frame [1024]byte
	frame[n%len(frame)] = 1
	work.Spin(n)
	runtime.KeepAlive(&frame)
}

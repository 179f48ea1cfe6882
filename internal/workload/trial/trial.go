// Package trial has the workloads that end by themselves after a few seconds. A statement about the
// runtime is judged by what a trial saw.
//
// A trial prints a workload.Ready and then an account of its own type. It judges nothing. While
// goroutines hold locks, some trials print workload.Claims, for an observer to compare with the
// runtime's memory. With -hold a trial begins at the line "go", and leaves after its account at any
// further line or at the end of stdin. Some of its flags break, on purpose, what the account would
// show without them; they are set apart by a semicolon below. Where there is skip-lock, half-lock
// leaves out every other LockOSThread. With -trace FILE a trial writes the runtime's execution trace
// (M-6), as all workloads do.
//
//	trial       account     flags                            what it has seen                                  statements
//	migrate     Migrate     locked unlocked others samples;  threads of locked goroutines and others,          G-1 G-2 G-9 E-7 M-6
//	                        skip-lock                        visitors, lost thread state
//	nest        Nest        depth surplus others samples;    the same at each depth of nested locks,           G-3 G-5 E-1
//	                        skip-lock skip-unlock            down to none
//	cross       Cross       calls others samples;            the same while another goroutine locks            E-6
//	                        skip-lock swap                   or unlocks
//	onmain      OnMain      samples; skip-lock skip-unlock   the main goroutine in init, in main, after        E-2 E-3 E-10
//	exits       Exits       n watch;                         when threads left, after every way to end; m0;    G-4 G-5 E-4 E-5 N-8
//	                        skip-lock skip-unlock recover    a panic's exit status
//	reuse       Reuse       n watch; skip-lock skip-unlock   the next goroutine on a released thread, when     G-5
//	parked      Parked      rounds threads watch wanted;     when threads released at once are used again      N-7
//	                        skip-lock
//	retake      Retake      n block other; skip-lock park    when others ran while a goroutine was in a        G-7
//	                                                         system call, GOMAXPROCS 1
//	grow        Grow        steps n rounds settle;           threads after each lock; bursts of locks, when    P-1 P-2 G-8 M-1 M-4
//	                        skip-lock unlock                 goroutines blocked and others began
//	lockcost    LockCost    n batch firsts; skip-lock slow   ns a call, the first call of a process apart,     P-3 P-4 X-2
//	                                                         threads it started
//	tax         Tax         n batch; skip-lock batched       ns and context switches a round trip of two       X-1
//	                                                         goroutines, 0, 1 or 2 of them locked
//	tight       Tight       rounds chunks chunk pace;        wall and CPU time of loops without calls,         P-5 P-6 G-6 N-6 X-3
//	                        skip-lock with-calls             stops of the world in them, waits for CPUs; also
//	                                                         with GODEBUG=asyncpreemptoff=1, as before Go 1.14
//	slices      Slices      rounds length; skip-lock         what one preemption by another loop takes         P-6 G-6
//	gcpin       GCPin       rounds samples others;           threads under collections, their pauses           E-9
//	                        skip-lock no-gc
//	inherit     Inherit     n samples children;              affinity, nice, policy, memory policy before      N-1 N-2 N-3
//	                        skip-lock alter no-push          and after a lock, of new threads
//	counts      Counts      n settle; skip-lock stray        /proc, NumGoroutine and runtime/metrics after     G-8 M-1 M-3 M-4 X-5
//	                                                         each lock, and whether all threads slept
//	overpin     Overpin     rounds workers bursts work;      waits for a thread, by the trial's clock and by   M-2
//	                        skip-lock                        /sched/latencies:seconds
//	labels      Labels      n; skip-lock skip-labels         goroutine profile, text and protobuf              M-5
//	schedtrace  SchedTrace  n every length;                  what schedtrace and scheddetail printed           M-7 M-8
//	                        skip-lock no-trace
//	lend        Lend        turns; skip-lock                 a coroutine that a locked goroutine resumes       G-2 E-7
//	elsewhere   Elsewhere   calls how; skip-call             state of a locked thread, set by another          G-9
//	                                                         goroutine's AllThreadsSyscall, Setgid or by tid
//	cgocalls    CCalls      n batch long; skip-lock slow     ns a call of C, locked and not                    P-7
//	cgoretake   Retake      as retake                        as retake, in calls of C                          P-10 G-7
//	cgogrow     Grow        as grow                          as grow, in calls of C                            P-1 P-2
//	callbacks   Callbacks   threads times samples; direct    Go called by C: goroutine, thread, visitors       E-8
//
// The last four are in cmd/cgoworkload. Any workload shows the runtime's lock of the initialization
// to an observer when it is started with workload.InitVariable set to "hold" (E-10).
//
// The package keeps to Go 1.13, as all that is compiled into a workload.
package trial

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Trial is one of them. Build declares its flags and returns what runs it to its end once they are
// parsed.
type Trial struct {
	workload.Info
	Build func(*flag.FlagSet) func(Self) (Result, error)
}

// Head is the beginning of every trial's account.
type Head struct {
	Name       string `json:"name"`
	PID        int    `json:"pid"` // in the trial's PID namespace, as every id here; also the id of the main thread
	GoVersion  string `json:"go_version"`
	GoMaxProcs int    `json:"gomaxprocs"` // as the trial began
	CPUs       int    `json:"cpus"`       // that the process may use
	Debug      string `json:"godebug"`    // GODEBUG of the environment

	Start int64 `json:"start_ns"` // CLOCK_MONOTONIC, as every time here
	End   int64 `json:"end_ns"`
}

func (h *Head) head() *Head { return h }

// Result is the account of a trial: a struct that embeds Head.
type Result interface{ head() *Head }

// All lists the trials of this package, in the order to show them in.
func All() []Trial {
	return []Trial{
		{info("migrate", "which threads locked goroutines and others run on"), migrate},
		{info("nest", "nested locks, and the thread before and after every unlock"), nest},
		{info("cross", "lock and unlock calls of one goroutine beside another"), cross},
		{info("onmain", "the main goroutine, locked in init, in main or nowhere"), onmain},
		{info("exits", "goroutines that end in every way, locked and not, and what becomes of their threads"), exits},
		{info("reuse", "the next goroutine on a thread that a goroutine releases"), reuse},
		{info("retake", "how long a goroutine in a system call keeps its P"), retake},
		{info("grow", "locked goroutines that block, and the threads that are made for them"), grow},
		{info("lockcost", "what LockOSThread and UnlockOSThread cost"), lockcost},
		{info("tax", "channel hand-offs between goroutines of which none, one or both are locked"), tax},
		{info("tight", "loops without calls, locked and not, under stops of the world"), tight},
		{info("inherit", "what a lock changes about a thread, and which threads inherit a change"), inherit},
		{info("counts", "what /proc and the runtime count while goroutines are locked"), countsTrial},
		{info("overpin", "how long work waits for locked goroutines and for others"), overpin},
		{info("labels", "locked goroutines that label themselves for the profile"), labels},
		{info("schedtrace", "what GODEBUG=schedtrace prints of locked goroutines"), schedtrace},
		{info("gcpin", "locked goroutines and others under garbage collection"), gcpin},
		{info("parked", "threads released all at once, and when they are used again"), parked},
		{info("lend", "a coroutine that a locked goroutine resumes, and the thread it runs on"), lend},
		{info("elsewhere", "state of a locked thread that another goroutine's call changes"), elsewhere},
		{info("slices", "loops that are preempted for each other, locked and not"), timeSlices},
	}
}

func info(name, about string) workload.Info {
	return workload.Info{Name: name, About: "trial: " + about}
}

// Declare declares the trial's flags. The function that it returns runs the trial to its end.
func (t Trial) Declare(flags *flag.FlagSet, hold *bool, self Self, lines func() <-chan string) func() error {
	run := t.Build(flags)
	return func() error {
		if err := self.out.Encode(workload.Ready{Ready: true, PID: os.Getpid(), Name: t.Name}); err != nil {
			return fmt.Errorf("print the ready line: %v", err)
		}
		var commands <-chan string
		if *hold {
			if commands = lines(); <-commands != workload.Go {
				return nil
			}
		}
		self.answers = lines // not before the first claim: see elsewhere
		if commands != nil {
			self.answers = func() <-chan string { return commands }
		}
		h := Head{
			Name: t.Name, PID: os.Getpid(), GoVersion: runtime.Version(), GoMaxProcs: runtime.GOMAXPROCS(0),
			CPUs: runtime.NumCPU(), Debug: os.Getenv("GODEBUG"), Start: probe.Now(),
		}
		self.head = h
		result, err := run(self)
		if err != nil {
			return err
		}
		h.End = probe.Now()
		*result.head() = h
		if err := self.out.Encode(result); err != nil {
			return fmt.Errorf("print the account: %v", err)
		}
		if *hold {
			<-commands
		}
		return nil
	}
}

// closed reports whether a channel without sends is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

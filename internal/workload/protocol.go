package workload

// Command is the first argument of a program that is more than a workload: it makes the program
// one.
const Command = "workload"

// InitVariable names an environment variable. It makes a workload act while the program still
// initializes its packages. The runtime then holds the main goroutine on the main thread by its
// internal lock (runtime.main).
//
//	hold   print a Ready and wait for a line or the end of stdin, for an observer to read that lock
//	pin    lock the main goroutine
//	lock   record a stretch, then lock the main goroutine
//	watch  record a stretch
const InitVariable = "PINWATCH_WORKLOAD_INIT"

// The lines that a workload obeys on stdin.
const (
	Go      = "go"      // begin the activity; without -hold it has begun already
	Step    = "step"    // do the program's next step, if it has steps, and print an Account; the activity goes on
	Quiesce = "quiesce" // end the activity, print an Account, keep the threads and their locks
	Stop    = "stop"    // as Quiesce, then leave
)

// Ready is the first line that a workload prints.
type Ready struct {
	Ready bool   `json:"ready"` // always true
	PID   int    `json:"pid"`   // in the workload's PID namespace, as every id it prints
	Name  string `json:"name"`
}

// Info describes a workload.
type Info struct {
	Name  string
	About string // one line
}

// Mistake is an error in the flags. The process exits with 2 for it, and with 1 for any other
// error.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// ClaimsVariable is the environment variable that has a trial print Claims and wait for a line after
// each.
const ClaimsVariable = "PINWATCH_WORKLOAD_CLAIMS"

// Claims is a line of a trial while its goroutines hold the locks in it.
type Claims struct {
	Claims []Claim `json:"claims"`
}

// Claim is a goroutine that is locked to its thread, before any flag that leaves calls out.
type Claim struct {
	TID   int   `json:"tid"`
	GoID  int64 `json:"goid"`
	Depth int   `json:"depth"` // LockOSThread calls without their UnlockOSThread; 0 = not locked
	// Internal: only the runtime has locked it, as while C calls Go.
	Internal bool `json:"internal,omitempty"`
}

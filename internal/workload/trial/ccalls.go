package trial

import "github.com/pinwatch/pinwatch/internal/workload/probe"

// CCalls is the account of the trial cgocalls: the cost of calls of C in nanoseconds a call, a
// sample a batch.
type CCalls struct {
	Head
	Kinds []CCallKind `json:"kinds"`
}

// CCallKind has batches of one goroutine, locked and unlocked in turn, so that a disturbance meets
// both.
type CCallKind struct {
	Kind     string  `json:"kind"`   // nothing; thread-local: it writes to a buffer of the thread; long
	Others   int     `json:"others"` // bystanders, which go from thread to thread
	Batch    int     `json:"batch"`  // calls in a batch
	Locked   []CCost `json:"locked"`
	Unlocked []CCost `json:"unlocked"`
}

// CCost is the cost of a batch.
type CCost struct {
	Cost
	Moved bool `json:"moved"` // the goroutine changed threads in it, so CPU is of two threads
	// Shared means that the next goroutine ran on the thread (probe.Successor) before the lock, if
	// there was one, was released.
	Shared bool `json:"shared"`
}

// Callbacks is the account of the trial callbacks.
type Callbacks struct {
	Head
	Calls []Callback `json:"calls"` // in the order in which they ended
}

// Callback is a call of Go by C: by a thread that C made, or by C that a goroutine called. The
// program holds no lock.
type Callback struct {
	Caller  int           `json:"caller"`   // its number
	CThread bool          `json:"c_thread"` // the caller is a thread that C made
	Turn    int           `json:"turn"`     // the caller's calls before
	TID     int           `json:"tid"`      // the caller's, read in C
	What    string        `json:"what"`     // calls made first: nothing; unlock: one UnlockOSThread; lock and unlock
	Stretch probe.Stretch `json:"stretch"`
}

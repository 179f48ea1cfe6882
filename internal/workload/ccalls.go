package workload

// CCalls is the account of the trial cgocalls: the cost of calls of C in nanoseconds a call, a sample a batch.
type CCalls struct {
	Head
	Kinds []CCallKind `json:"kinds"`
}

// CCallKind has batches of a locked goroutine and of the same one unlocked in turn, so that what disturbs one disturbs both.
type CCallKind struct {
	Kind     string `json:"kind"`  // nothing, thread-local: it adds to a variable of the thread; long
	Batch    int    `json:"batch"` // calls in a batch
	Locked   []Cost `json:"locked"`
	Unlocked []Cost `json:"unlocked"`
}

// Callbacks is the account of the trial callbacks.
type Callbacks struct {
	Head
	Calls []Callback `json:"calls"` // in the order in which they ended
}

// Callback is a call of Go by C: by a thread of C's, or by C that a goroutine called. No lock of the program's is held.
type Callback struct {
	Caller    int     `json:"caller"`     // its number
	OwnThread bool    `json:"own_thread"` // the caller is a thread that C made
	Turn      int     `json:"turn"`       // the caller's calls before
	TID       int     `json:"tid"`        // the caller's, by C
	What      string  `json:"what"`       // calls made first: nothing, unlock: one UnlockOSThread; lock and unlock
	Stretch   Stretch `json:"stretch"`
}

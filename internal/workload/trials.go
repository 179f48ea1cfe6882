package workload

// trials lists the workloads that end by themselves, in the order they are shown in.
func trials() []program {
	return []program{
		{Info: Info{"migrate", "trial: which threads locked goroutines and others find themselves on"}, trial: migrate},
		{Info: Info{"nest", "trial: nested locks, looked at before and after every unlock"}, trial: nest},
		{Info: Info{"cross", "trial: lock and unlock calls of one goroutine beside another"}, trial: cross},
		{Info: Info{"onmain", "trial: the main goroutine, locked in init, in main or nowhere"}, trial: onmain},
		{Info: Info{"exits", "trial: goroutines that end in every way, locked and not, and what becomes of their threads"}, trial: exits},
		{Info: Info{"reuse", "trial: who runs next on a thread that a goroutine releases"}, trial: reuse},
		{Info: Info{"retake", "trial: how long a goroutine in a system call keeps its P"}, trial: retake},
		{Info: Info{"grow", "trial: locked goroutines that block, and the threads that come for them"}, trial: grow},
		{Info: Info{"lockcost", "trial: what LockOSThread and UnlockOSThread cost"}, trial: lockcost},
		{Info: Info{"tax", "trial: channel hand-offs between goroutines of which none, one or both are locked"}, trial: tax},
		{Info: Info{"tight", "trial: loops without calls, locked and not, under stops of the world"}, trial: tight},
		{Info: Info{"inherit", "trial: what a lock changes about a thread, and who gets what a locked goroutine changes"}, trial: inherit},
		{Info: Info{"counts", "trial: what /proc and the runtime count while goroutines are locked"}, trial: countsTrial},
		{Info: Info{"overpin", "trial: how long work waits for locked goroutines and for others"}, trial: overpin},
		{Info: Info{"labels", "trial: locked goroutines that label themselves for the profile"}, trial: labels},
		{Info: Info{"schedtrace", "trial: what GODEBUG=schedtrace prints of locked goroutines"}, trial: schedtrace},
		{Info: Info{"order", "trial: thread ids and the order in which threads come, run after run"}, trial: order},
		{Info: Info{"gcpin", "trial: locked goroutines and others under garbage collection"}, trial: gcpin},
		{Info: Info{"parked", "trial: threads released all at once, and when they are used again"}, trial: parked},
		{Info: Info{"slices", "trial: loops that are preempted for each other, locked and not"}, trial: timeSlices},
	}
}

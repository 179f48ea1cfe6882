// Package workload holds Go programs whose truth is known: they pin goroutines, make threads die, hand off and spin,
// keep exact accounts of it and print them as JSON, so that what an observer reports can be compared with what happened.
//
// It runs on Linux, needs nothing but the standard library and keeps to the language and library of Go 1.13, because
// it is also compiled alone by every Go release that pinwatch supports.
//
// A workload talks over its standard streams. Its first line on stdout is a Ready, printed once its goroutines are
// pinned and wait. It then starts (with -hold only when told to) and obeys these lines on stdin:
//
//	go       begin the activity; without -hold it has begun already
//	quiesce  end the activity, print an Account, keep the threads and their locks as they are
//	step     do the workload's next step, if it has steps, and print an Account; the activity goes on
//	stop     as quiesce, then leave; the end of stdin means the same, so no workload outlives its parent
//
// Every Account is one line. The last thing a workload prints is the one of its end.
package workload

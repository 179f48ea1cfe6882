// Package correlate turns the stream of events of one process into the costs of its threads. It is
// pure: no clock, no I/O, no goroutine, so a recording gives the same Result as the live run did.
//
// A [Correlator] takes the events one by one. A table gives each event kind one short method, which
// finds the thread and hands the event to the type that owns the state. Nothing allocates on the
// way of an event: threads and signals that have ended are used again.
//
// threads (thread.go) finds a thread by its tid, and keeps the memory of threads that are forgotten.
//
// thread (thread.go) is one OS thread from birth to sched_process_free: the end of its time line,
// its last runs on a CPU, its lock, and the spans on it that have begun. turn.go and snapshot.go
// extend the time line, lifecycle.go holds birth, exit and exec.
//
// sleepers (sleepers.go) are the threads of a process with very many that have slept since the
// observation began. They take little memory, and become threads when something happens to them.
//
// windows (window.go) are the whole observation, the interval that has ended and the one that is
// open. They find the innermost window of a moment; an event is counted once, in that window, so
// its price does not depend on how many windows there are.
//
// ledger (ledger.go) is the bookkeeping of one window: its counts, costs, causes, sites and losses.
// An interval's ledger is added to the whole's when the interval is settled. The time of threads is
// kept by share (share.go), one for each thread and window; forgetEnded drops the shares of ended
// threads and keeps their sums.
//
// sampler (sampler.go) records the spans that end as samples of a phase (phase.go), less the time
// that the thread was off its CPU. Samples add up in cost rows (costs.go). signal (signal.go) is
// one SIGURG from tgkill to sigreturn, handoff.go the wake-up of a locked thread for its goroutine.
//
// internal/stops finds the stops of the world in signals and turns, and the thread that stopped last
// in each; stops.go hands them the events and keeps the counts.
//
// lockTracker (lock.go) follows the lock of each thread from read to read, and the calls of
// LockOSThread that the probe sees (pins.go).
//
// program (program.go) holds what is known of the target's program: functions by stack and address,
// and the causes that internal/cause reads from stacks.
//
// [Result] (result.go) is the outcome of one window, made by build.go and rows.go and checked by
// [Validate], which shares no code with them. Its distributions are of package stats.
package correlate

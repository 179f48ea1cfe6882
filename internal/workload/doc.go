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
//
// A trial is a workload that ends by itself, in a few seconds, for a statement about the runtime to be judged by what it saw. It
// prints a Ready and then an account of its own type, judges nothing and, with -hold, begins when told to "go" and leaves after
// its account when told anything more, or when stdin ends. Some of its flags break, on purpose, what the account would else show;
// these are set apart by a semicolon. With -trace FILE it leaves the runtime's execution trace of it (M-6), as all workloads do.
//
//	trial       account     flags                                              what it has seen                            statements
//	migrate     Migrate     locked unlocked bystanders samples; skip-lock      threads of locked goroutines and others,    G-1 G-2 G-9 E-7
//	                                                                           visitors, lost thread state                 M-6
//	nest        Nest        depth surplus bystanders samples;                  the same at each depth of nested locks,     G-3 G-5 E-1
//	                        skip-lock skip-unlock                              down to none
//	cross       Cross       calls bystanders samples; skip-lock swap           the same while another goroutine locks or   E-6
//	                                                                           unlocks
//	onmain      OnMain      samples; skip-lock skip-unlock                     the main goroutine in init, in main, after  E-2 E-3 E-10
//	exits       Exits       n watch; skip-lock skip-unlock recover             when threads left, after every way to end;  G-4 G-5 E-4 E-5
//	                                                                           m0; a panic's exit status                   N-8
//	reuse       Reuse       n watch; skip-unlock                               who ran next on a released thread, when     G-5 N-7
//	retake      Retake      n block other; skip-lock park                      when others ran while a goroutine was in a  G-7
//	                                                                           system call, GOMAXPROCS 1
//	grow        Grow        steps n rounds settle; skip-lock unlock            threads after each lock; bursts of locks,   P-1 P-2 G-8 M-1
//	                                                                           when goroutines blocked and others began    M-4
//	lockcost    LockCost    n batch firsts; skip-lock slow                     ns a call, the first call of a process      P-3 P-4 X-2
//	                                                                           apart, threads it started
//	tax         Tax         n batch; skip-lock                                 ns and context switches a round trip of     X-1
//	                                                                           two goroutines, 0, 1 or 2 of them locked
//	tight       Tight       rounds chunks chunk pace; skip-lock with-calls     wall and CPU time of loops without calls,   P-5 P-6 G-6 N-6
//	            (and GODEBUG=asyncpreemptoff=1)                                stops of the world in them, waits for CPUs  X-3, ≤ 1.13
//	gcpin       GCPin       rounds samples bystanders; skip-lock no-gc         threads under collections, their pauses     E-9
//	inherit     Inherit     n looks children; skip-lock alter no-push          affinity, nice, policy, memory policy       N-1 N-2 N-3
//	                                                                           before and after a lock, of new threads
//	counts      Counts      n settle; skip-lock stray                          /proc, NumGoroutine and runtime/metrics     G-8 M-1 M-3 M-4
//	                                                                           after each lock, and whether at rest        X-5
//	overpin     Overpin     rounds workers bursts work; skip-lock              waits for a thread, by the trial's clock    M-2
//	                                                                           and by /sched/latencies:seconds
//	labels      Labels      n; skip-labels                                     goroutine profile, text and protobuf        M-5
//	schedtrace  SchedTrace  n every length; skip-lock no-trace                 what schedtrace and scheddetail printed     M-7 M-8
//	order       Order       runs n; skip-unlock                                thread ids and their order, run after run   N-4 N-5
//	cgocalls    CCalls      n batch long; skip-lock slow                       ns a call of C, locked and not              P-7
//	cgoretake   Retake      as retake                                          as retake, in calls of C                    P-10 G-7
//	cgogrow     Grow        as grow                                            as grow, in calls of C                      P-1 P-2
//	callbacks   Callbacks   threads times samples; direct                      Go called by C: goroutine, thread, visitors E-8
//
// The last four are in cmd/cgoworkload. What the runtime's lock of the initialization looks like from outside can be seen in any
// workload that is started with InitVariable set to "hold" (E-10).
package workload

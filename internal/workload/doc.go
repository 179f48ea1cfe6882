// Package workload is the protocol of pinwatch's workloads: Go programs with known truth. They pin
// goroutines, end threads, hand off and spin, keep exact accounts of that and print them as JSON. A
// test compares the accounts with what an observer reports.
//
// The folders:
//
//	program   workloads that run until they are stopped; each prints an Account
//	trial     workloads that end by themselves after a few seconds; each has its own type of account
//	probe     what both read of threads: ids, state, labels, CPU sets, clocks, /proc, runtime/metrics
//	work      what their goroutines do: spin, sleep in the kernel, block in a pipe
//	catalog   the list of all, and Main, which runs one by name
//	cmd       the commands: workload, cgoworkload, which is linked with C, and trees of processes:
//	          tree, and cgotree, which is linked with C
//	client    starts a workload and speaks the protocol with it
//
// Everything but client is also compiled alone by every Go release that pinwatch supports. It keeps
// to the language and the library of Go 1.13 and needs Linux and the standard library only. Package
// workbuild copies and builds it.
//
// A workload speaks over its standard streams. Its first line on stdout is a Ready, printed once
// its goroutines are pinned and wait. Then the activity starts, with -hold only after the line
// "go". The lines on stdin are the constants Go, Step, Quiesce and Stop. The end of stdin means
// Stop, so no workload outlives its parent. Every account is one line of JSON; the last line that a
// workload prints is its last account.
package workload

// Package cases compares pinwatch with programs that are made after public reports: what people
// ran, what went wrong there, and what pinwatch must print about it.
//
// A case is a directory with a program, package main, and a file EXPECT; with files EXPECT-VARIANT it
// is several. The program is started, observed by the pinwatch of this tree, and stopped:
//
//  1. It prints one JSON object per line on stdout. The first line means that it is ready.
//  2. When the window of an attach has begun, it receives the line "go" on stdin. It may ignore that.
//  3. When pinwatch has ended, its stdin is closed. It prints its last account and ends.
//
// The keys of all its lines together are its account; a later line replaces an earlier one's keys.
// If there is a key pid, that process is observed instead of the one that was started.
//
// The lines of EXPECT:
//
//	# TEXT                  after whose report the case is made, what goes wrong there, and what
//	                        the independent source of truth is. The first lines of each file.
//	short                   make test runs it, too
//	needs NAME...           cgo, namespaces, quota: of the machine; without it the case is skipped
//	build FLAG...           flags of go build
//	env KEY=VALUE...        the program's environment
//	args ARG...             the program's arguments
//	throttle                the program gets a tenth of a CPU, by a quota (needs quota)
//	pinwatch COMMAND ARG... what is run. attach and threads get -p PID, vet gets the case's folder
//	exit N                  pinwatch's exit code; 0 if there is no such line
//	want REGEXP             matches pinwatch's text: of a report what is printed with and without -v,
//	                        and standard error. White space is squeezed to one blank first; ${KEY} is a
//	                        value of the account
//	may REGEXP              need not match, but is expected too
//	never REGEXP            does not match it
//	findings ID...          these findings are made and no others. ?ID may be made; none = there are none
//	json PATH OP VALUE      holds for pinwatch's JSON of the same run
//
// PATH has keys between dots; after a key [N] selects an element of a list, and [KEY=VALUE,...] all
// elements with these values. The condition must hold for each of them, and for at least one. At the
// end of a path # stands for how many there are, and + for their sum.
//
// OP is = != < <= > >= or ~, which means that a regular expression matches. VALUE is a literal or
// $KEY, of the account. Numbers and keys may be joined by + - *, from left to right: $exits+1.
//
// Each finding and warning in the text must be touched by a match of want or may, or match a line
// of the file ANYWHERE, which has a regular expression a line: so no sentence is printed that nobody expects.
package cases

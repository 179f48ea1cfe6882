// Package pinwatch measures, from the kernel, what a Go process pays for its operating-system threads. It holds no code: this is
// the tour of the tree, in the order in which an event travels.
//
//	bpf/*.h              kernel side: hooks turn what happens into records (event.h) and count those that find no room
//	loader/              finds the process, loads and attaches the programs, asks the kernel for the living threads
//	events/              a record becomes an Event; events are put into the order of their times
//	correlate/           events become time lines, costs and counts of a window: a Result
//	internal/goruntime/  what the stream can't say: Go version, build, names of functions, offsets in g and m, each M's lock
//	correlate/stats/     histograms that costs are kept in
//	internal/contract/   the specification's statements, and verdicts on them by evidence
//	internal/findings/   what a person should change, as a Result shows it
//	internal/report/     Result, claims and findings as text and JSON; the list of threads
//	internal/host/       the machine the report was made on
//	internal/capability/ what the caller may do
//	cmd/pinwatch/        the commands, which join all that
//	vet/                 reads source instead of running programs: what those that pin threads get wrong; vet/golangci: as a plugin
//	internal/workload/   programs that pin threads and keep their own account, to be observed
//	internal/verify/     experiments with them, which make the evidence
//	internal/workbuild/  builds them by any release of Go, which internal/toolchain fetches
//	internal/leftover/   what stays in the kernel when it should have gone
//	internal/testenv/    what tests share, with observers of the kernel that owe nothing to pinwatch
//	scripts/             test, lint, generated-code check; kernel-matrix, go-matrix: other kernels, other releases of Go;
//	                     bench, soak: what pinwatch costs beside its peers, what grows in an hour;
//	                     update-offsets: the table in internal/goruntime, from the DWARF of every release
package pinwatch

//go:generate sh bpf/generate.sh

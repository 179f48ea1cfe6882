// Package pinwatch measures, from the kernel, what a Go process pays for its operating-system threads. It holds no code: this is
// the tour of the tree, in the order in which an event travels.
//
//	bpf/*.h              kernel side: hooks turn what happens into records (event.h) and count those that find no room
//	loader/              finds the process, loads and attaches the programs, asks the kernel for the living threads
//	events/              a record becomes an Event; events are put into the order of their times
//	correlate/           events become time lines, costs and counts of a window: a Result
//	internal/goruntime/  what the stream can't say: Go version, build, names of functions, offsets in g and m, each M's lock
//	internal/stats/      histograms that costs are kept in
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
//	                     updateoffsets: the table in internal/goruntime/offsets, from the DWARF of every release
package pinwatch

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -output-dir bpf -go-package bpf -target amd64,arm64 -type event_kind -type event_header -type event_thread -type event_newtask -type event_clone_enter -type event_return -type event_plain -type event_sigmask -type event_sigaltstack -type event_signal_generate -type event_sigreturn -type event_exec -type event_switch -type turn -type cpu_slot -type event_stacked -type event_thread_m -type event_lock -type event_sum -type event_sum_lock -type samples -type moves -type sample_of -type event_pin -type user_stack -type lock_kind -type snapshot -type resolved -type thread_flag -type target_state -type switch_flag -type migrate_why -type own_run Pinwatch bpf/pinwatch.bpf.c -- -O2 -g -mcpu=v3 -std=gnu11 -Wall -Wextra -Werror -Wpadded -Wno-unused-parameter -ffile-prefix-map=${PWD}=.
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -output-dir loader -output-suffix _test -go-package loader -target amd64,arm64 reference bpf/reference.bpf.c -- -O2 -g -mcpu=v3 -std=gnu11 -Wall -Wextra -Werror -Wpadded -Wno-unused-parameter -ffile-prefix-map=${PWD}=.

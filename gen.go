package pinwatch

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -output-dir bpf -go-package bpf -target amd64,arm64 -type event_kind -type event_header -type event_thread -type event_newtask -type event_clone_enter -type event_return -type event_plain -type event_sigmask -type event_sigaltstack -type event_signal_generate -type event_sigreturn -type event_switch -type resolved -type thread_flag -type target_state -type switch_flag -type migrate_why Pinwatch bpf/pinwatch.bpf.c -- -O2 -g -std=gnu11 -Wall -Wextra -Werror -Wpadded -Wno-unused-parameter -ffile-prefix-map=${PWD}=.

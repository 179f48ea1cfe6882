#!/bin/sh
# usage: sh bpf/generate.sh, in the top directory (go generate runs it)
#
# Compiles the kernel side for both architectures and writes its Go mirror.
set -eu

# C types that Go names. Types of map values and of global variables need no entry.
types='
event_kind event_header event_plain event_stacked event_return
event_thread event_newtask event_clone_enter event_exec event_parent_death event_delay other_task
event_sigmask event_sigaltstack event_signal_generate event_signal_deliver event_sigreturn
event_switch event_sum event_sum_lock
event_thread_m event_lock event_pin
user_stack snapshot resolved throttled throttle lock_seen thread_sum
thread_flag exit_flag exec_flag delay_flag call_end target_state switch_flag turn_pack migrate_why move_distance lock_kind lock_age
target_hint order file_identity known_layout
sample_of sample_layout ring_layout config_limit task_flags overhead_run overhead_side
'

# bpf2go DIRECTORY NAME SOURCE [FLAG...]
bpf2go() {
  directory=$1 name=$2 source=$3
  shift 3
  go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 \
    -output-dir "$directory" -go-package "$directory" "$@" "$name" "$source" -- \
    -O2 -g -mcpu=v3 -std=gnu11 -Wall -Wextra -Werror -Wpadded -Wno-unused-parameter "-ffile-prefix-map=$PWD=."
}

# shellcheck disable=SC2046,SC2086 # each type is a word
bpf2go bpf Pinwatch bpf/pinwatch.bpf.c $(printf -- '-type %s ' $types)
bpf2go loader reference bpf/reference.bpf.c -output-suffix _test -type reference_stacks

package main

import (
	_ "embed"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/scripts/measure"
)

// sums is a bpftrace program with the same sums as pinwatch's: how long each thread ran, waited for
// a CPU and was blocked.
//
//go:embed sums.bt
var sums string

// bpftrace keeps 4096 map keys by default. Churn makes more threads than that.
const bpftraceKeys, bpftraceRoom = "BPFTRACE_MAP_KEYS_MAX", "65536"

// peer is one way to observe a target. Its command names the target as PID and a directory for its
// files as DIR. A peer without a command is part of the workload, or observes nothing.
type peer struct {
	name    string
	command []string
	ready   func(pid int, dir string) func(int) bool
	needs   string   // a flag that this pinwatch must know; "" = none
	bpf     bool     // it runs BPF programs, which the kernel accounts for
	args    []string // of the workload, with DIR
	few     bool     // it observes something else: fewRounds are enough
}

const nothing = "nothing"

// peerList begins with the baseline. The baseline comes twice: the difference between the two is
// the noise.
var peerList = []peer{
	{name: nothing},
	{name: "nothing, again"},
	{name: "pinwatch", command: pinwatchCommand(), ready: readyFile, bpf: true},
	{
		name: "pinwatch --aggregate", command: pinwatchCommand("--aggregate"), ready: readyFile, bpf: true,
		needs: "--aggregate",
	},
	{name: "pinwatch --light", command: pinwatchCommand("--light"), ready: readyFile, bpf: true, needs: "--light"},
	{name: "bpftrace, the same sums", command: []string{"bpftrace", "-e", "SUMS", "PID"}, ready: hooksSettled, bpf: true},
	{
		name: "runqlat (libbpf-tools)", command: []string{"runqlat", "-p", "PID", "3600", "1"},
		ready: hooksSettled, bpf: true,
	},
	{
		name: "perf sched record", command: []string{"perf", "sched", "record", "-o", "DIR/perf.data"},
		ready: hooksSettled,
	},
	{
		name: "perf trace -s", command: []string{"perf", "trace", "-s", "-o", "DIR/trace.txt", "-p", "PID"},
		ready: hooksSettled, few: true,
	},
	{
		name: "strace -f -c", command: []string{"strace", "-f", "-c", "-o", "DIR/strace.txt", "-p", "PID"},
		ready: traced, few: true,
	},
	{name: "Go execution trace", args: []string{"-trace", "DIR/go.trace"}, few: true},
}

func pinwatchCommand(flags ...string) []string {
	return append([]string{
		"pinwatch", "attach", "-p", "PID", "-o", "json", "--out", "DIR/report.json", "--ready-file", "DIR/ready",
	}, flags...)
}

func readyFile(_ int, dir string) func(int) bool {
	return measure.FileThere(filepath.Join(dir, "ready"))
}

func hooksSettled(int, string) func(int) bool    { return measure.HooksSettled() }
func traced(target int, _ string) func(int) bool { return measure.Traced(target) }

// filled replaces the placeholders in a command or its arguments.
func (p *peer) filled(words []string, pid int, dir, pinwatch string) []string {
	fill := strings.NewReplacer("PID", strconv.Itoa(pid), "DIR", dir, "SUMS", sums)
	filled := make([]string, len(words))
	for i, w := range words {
		filled[i] = fill.Replace(w)
	}
	if len(filled) > 0 && filled[0] == "pinwatch" {
		filled[0] = pinwatch
	}
	return filled
}

// foreign reports whether the peer is another project's tool.
func (p *peer) foreign() bool { return p.command != nil && p.command[0] != "pinwatch" }

// shown is the command for the reader.
func (p *peer) shown() string {
	if p.command == nil && p.args == nil {
		return ""
	}
	if p.command == nil {
		return "`workload " + strings.Join(p.args, " ") + "`"
	}
	text := strings.ReplaceAll(shell(p.command), "SUMS", `"$(cat scripts/bench/sums.bt)"`)
	if p.command[0] == "bpftrace" {
		text = bpftraceKeys + "=" + bpftraceRoom + " " + text
	}
	return "`" + text + "`"
}

// absent is the reason why a peer cannot run here. It is empty when the peer can run.
func (p *peer) absent(pinwatch string) string {
	if len(p.command) == 0 {
		return ""
	}
	if p.command[0] != "pinwatch" {
		if _, err := exec.LookPath(p.command[0]); err != nil {
			return p.command[0] + " is not installed"
		}
		return ""
	}
	help, err := exec.Command(pinwatch, "attach", "--help").Output()
	if err != nil {
		return fmt.Sprintf("pinwatch attach --help: %v", err)
	}
	if p.needs != "" && !strings.Contains(string(help), p.needs) {
		return "this pinwatch has no " + p.needs
	}
	return ""
}

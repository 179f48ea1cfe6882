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

// sums.bt has bpftrace sum what pinwatch does: how long each thread ran, waited for a CPU and was blocked.
//
//go:embed sums.bt
var sums string

// bpftrace keeps 4096 threads unless told otherwise: churn makes more.
const bpftraceKeys, bpftraceRoom = "BPFTRACE_MAP_KEYS_MAX", "65536"

// peer is one way to observe, or not to. Its command names the target as PID and a directory for its files as DIR; none: it is in
// the workload itself, or nothing.
type peer struct {
	name    string
	command []string
	ready   func(pid int, dir string) func(int) bool
	needs   string   // a flag that this pinwatch must know; "" = none
	bpf     bool     // what it does in the kernel is BPF programs, which the kernel accounts for
	args    []string // of the workload, with DIR
}

const nothing = "nothing"

// peerList begins with what the others are compared with. That comes twice: what it differs from itself by is the noise.
var peerList = []peer{
	{name: nothing},
	{name: "nothing, again"},
	{name: "pinwatch", command: pinwatchCommand(), ready: readyFile, bpf: true},
	{name: "pinwatch --aggregate", command: pinwatchCommand("--aggregate"), ready: readyFile, bpf: true, needs: "--aggregate"},
	{name: "pinwatch --light", command: pinwatchCommand("--light"), ready: readyFile, bpf: true, needs: "--light"},
	{name: "bpftrace, the same sums", command: []string{"bpftrace", "-e", "SUMS", "PID"}, ready: hooksSettled, bpf: true},
	{name: "runqlat (libbpf-tools)", command: []string{"runqlat", "-p", "PID", "3600", "1"}, ready: hooksSettled, bpf: true},
	{name: "perf sched record", command: []string{"perf", "sched", "record", "-o", "DIR/perf.data"}, ready: hooksSettled},
	{name: "perf trace -s", command: []string{"perf", "trace", "-s", "-o", "DIR/trace.txt", "-p", "PID"}, ready: hooksSettled},
	{name: "strace -f -c", command: []string{"strace", "-f", "-c", "-o", "DIR/strace.txt", "-p", "PID"}, ready: traced},
	{name: "Go execution trace", args: []string{"-trace", "DIR/go.trace"}},
}

func pinwatchCommand(flags ...string) []string {
	words := []string{"pinwatch", "attach", "-p", "PID", "-o", "json", "--out", "DIR/report.json", "--ready-file", "DIR/ready"}
	return append(words, flags...)
}

func readyFile(_ int, dir string) func(int) bool {
	return measure.FileThere(filepath.Join(dir, "ready"))
}
func hooksSettled(int, string) func(int) bool    { return measure.HooksSettled() }
func traced(target int, _ string) func(int) bool { return measure.Traced(target) }
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

// foreign says whether the peer is a tool that is not ours.
func (p *peer) foreign() bool { return p.command != nil && p.command[0] != "pinwatch" }

// shown is the command for the reader.
func (p *peer) shown() string {
	if p.command == nil && p.args == nil {
		return ""
	}
	if p.command == nil {
		return "`workload " + strings.Join(p.args, " ") + "`"
	}
	text := strings.ReplaceAll(shell(p.command), "SUMS", `"$(cat scripts/benchmark/sums.bt)"`)
	if p.command[0] == "bpftrace" {
		text = bpftraceKeys + "=" + bpftraceRoom + " " + text
	}
	return "`" + text + "`"
}

// absent is why a peer can't be run here; "" = it can.
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

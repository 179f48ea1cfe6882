package reporttest

import (
	"sync"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/report"
)

// Meta describes the surroundings of all windows.
func Meta() report.Meta {
	return report.Meta{
		Version: "v0.1.0", Holders: holders(),
		End: time.Date(2025, 3, 9, 3, 12, 45, 500e6, time.UTC),
		Host: host.Info{Kernel: "6.12.9", Arch: "amd64", CPUs: 16, Virtualization: "none",
			CPUModel:    "AMD EPYC 7313 16-Core Processor",
			Clocksource: "tsc", Mitigations: map[string]string{"retbleed": "Mitigation: untrained return thunk"}},
		Target: report.Target{PID: 4242, Exe: Ptr("/usr/local/bin/renderd"), GoVersion: Ptr("go1.26.8"),
			Cgo: Ptr(false), PIE: Ptr(false), Stripped: Ptr(true),
			Offsets: Ptr("table"), GOMAXPROCS: Ptr(16)},
		Findings: []findings.Finding{
			{ID: "exit-while-locked-churn", Severity: "warn",
				Message: "22 threads/s were destroyed because their goroutine ended while locked",
				Advice:  "call runtime.UnlockOSThread before main.render returns",
				Cost:    &findings.Cost{CPU: 0.0041, Least: 0.003, Most: 0.006, How: "by its phases"},
				Evidence: map[string]any{"threads_exited_locked": 110, "destroyed_per_s": 22.0,
					"each_ns": 184_000.0, "cost_cpu_s_per_hour": 14.6, "share_fraction": 0.004,
					"tids": []int{4247, 4249}, "function": nil}},
			{ID: "wedged-m0", Severity: "error", Message: "the main thread is parked for ever", Advice: "unlock it",
				Evidence: map[string]any{"tid": 4242}},
		},
		CPU: report.CPU{ProcessNS: Ptr[int64](512_000_000), SysmonNS: Ptr[int64](17_000_000)},
		Judged: []findings.Judged{{ID: "exit-while-locked-churn"}, {ID: "wedged-m0"},
			{ID: "leaked-pin", Why: "that takes a window of 10 s or more (-d)"}},
		Observer: report.Observer{
			Hooks: map[string]string{"clone": "tracepoint", "clone3": "off", "exit": "tracepoint",
				"tgkill": "tracepoint", "rt_sigprocmask": "tracepoint",
				"sched_switch": "tp_btf", "sched_waking": "tp_btf", "signal_generate": "tp_btf",
				"signal_deliver": "tp_btf"},
			Programs: []report.BPFProgram{{Name: "sched_switch", Runs: 184_203, NSPerRun: Ptr(231.0)},
				{Name: "sched_waking", Runs: 40_112, NSPerRun: Ptr(142.5)},
				{Name: "sys_enter_tgkill", Runs: 612, NSPerRun: Ptr(190.0)},
				{Name: "sys_enter_clone", Runs: 118, NSPerRun: Ptr(310.0)},
				{Name: "signal_generate", Runs: 614, NSPerRun: Ptr(168.0)},
				{Name: "signal_deliver", Runs: 610, NSPerRun: Ptr(155.0)},
				{Name: "sys_enter_exit", Runs: 114, NSPerRun: Ptr(258.0)}, {Name: "sys_enter_clone3", Runs: 0}},
			CPUSeconds: Ptr(0.0123), CPUFraction: Ptr(0.00246), RSSAnonBytes: Ptr(uint64(12_900_000)),
			StatsSampledS: Ptr(0.5),
			Overhead: []report.ProgramTime{{Name: "task_newtask", Timed: 118, NS: Ptr(310.5), DispatchNS: Ptr(70.0)},
				{Name: "sched_switch_out", Timed: 4096, NS: Ptr(260.0), DispatchNS: Ptr(70.0)},
				{Name: "tgkill", Timed: 612, NS: Ptr(2810.0), DispatchNS: Ptr(180.0)},
				{Name: "signal_generate", Timed: 612, NS: Ptr(640.0), DispatchNS: Ptr(70.0)},
				{Name: "tgkill_return", Timed: 612, NS: Ptr(120.0), DispatchNS: Ptr(180.0)},
				{Name: "sched_migrate_task", DispatchNS: Ptr(70.0)}},
			ClockReadNS: Ptr(24.0), ClockStepNS: Ptr(20.0),
		},
	}
}

// Reports are the windows that every format is tested on. Tests must not change them.
var Reports = sync.OnceValue(func() map[string]*report.Report {
	refused := Meta()
	refused.Findings = nil
	refused.Observer = report.Observer{Hooks: map[string]string{"clone": "fentry", "tgkill": "fentry",
		"sched_switch": "tp_btf"}}
	refused.Warnings = []string{"BPF statistics need CAP_SYS_ADMIN: the cost of observing is not known"}

	unwatched := Meta()
	unwatched.Findings = nil
	unwatched.Observer.Hooks = map[string]string{"clone": "off", "tgkill": "off", "sched_switch": "tp_btf"}

	mixed := Meta()
	mixed.Observer.Hooks = map[string]string{"clone": "fentry", "tgkill": "tracepoint", "sched_switch": "tp_btf"}

	quiet := Meta()
	quiet.Findings = nil

	bare := report.Meta{Version: "devel", Host: host.Info{Arch: "arm64", Virtualization: "unknown"},
		Target: report.Target{PID: 1}}

	dying := Meta()
	dying.Findings = nil
	dying.Target.Ended = Ptr("killed by signal 9")
	dying.Target.Cgo = Ptr(true)
	dying.Observer.Hooks = nil
	dying.Observer.Programs = []report.BPFProgram{{Name: "sched_switch"}}

	return map[string]*report.Report{
		"rich":    report.New(Meta(), Rich()),
		"idle":    report.New(quiet, Idle()),
		"lossy":   report.New(Meta(), Lossy()),
		"skipped": report.New(Meta(), Skipped()),
		"refused": report.New(refused, Uncalibrated()),
		"light":   report.New(unwatched, Light()),
		"mixed":   report.New(mixed, Idle()),
		"calm":    report.New(quiet, Lossy()),
		"crowd":   report.New(dying, Crowd()),
		"legion":  report.New(Meta(), Legion()),
		"empty":   report.New(bare, &correlate.Result{}),
	}
})

package reporttest

import (
	"slices"

	"github.com/pinwatch/pinwatch/internal/report"
)

// Lists are the thread lists that every format is tested on.
func Lists() map[string]*report.ThreadList {
	target := report.Target{PID: 4242, Exe: Ptr("renderd"), GoVersion: Ptr("go1.26.8"), Cgo: Ptr(true), PIE: Ptr(true),
		Stripped: Ptr(true),
		Offsets:  Ptr("table"), GOMAXPROCS: Ptr(16)}
	thread := func(tid int32, role, lock string) report.ListedThread {
		return report.ListedThread{
			TID: tid, NSTID: Ptr(tid - 4000), Name: "renderd", M: Ptr(int64(tid - 4242)), Role: role, Lock: lock,
			LockedExt: Ptr(uint32(0)), LockedInt: Ptr(uint32(0)), State: Ptr("S"), WChan: Ptr("futex_do_wait"),
			CPU:      Ptr(3),
			Affinity: Ptr("0-15"), Nice: Ptr(0), Policy: Ptr("SCHED_OTHER"), CPUSeconds: Ptr(0.42),
			AgeSeconds: Ptr(86_400.5),
		}
	}
	rows := []report.ListedThread{
		thread(4242, "main", "wedged"), thread(4243, "worker", "user"), thread(4244, "worker", "user"),
		thread(4245, "cgo_extra", "user"),
		thread(4246, "worker", "exiting"), thread(4247, "cgo_extra", "runtime"), thread(4248, "sysmon", "none"),
		thread(4249, "template", "none"),
		thread(4250, "worker", "none"), thread(4251, "foreign", "none"), thread(4252, "unknown", "unknown"),
	}
	rows[0].LockedExt = Ptr(uint32(1))
	a, b := &rows[1], &rows[2]
	a.LockedExt, a.GoID, a.LockEntry, a.Parked = Ptr(uint32(3)), Ptr(uint64(18)),
		Ptr("example.com/render/internal/gpu.(*Device).loop"), Ptr(true)
	b.LockedExt, b.GoID, b.LockEntry, b.Parked = Ptr(uint32(1)), Ptr(uint64(1234567)), Ptr("main.spin"), Ptr(false)
	b.RunningGoID, b.P, b.State, b.WChan, b.CPUSeconds = Ptr(uint64(1234567)), Ptr(int32(12)), Ptr("R"), nil, Ptr(1.2e6)
	b.Affinity, b.Policy = Ptr("3"), Ptr("SCHED_FIFO")
	rows[3].LockedExt, rows[3].LockedInt, rows[3].GoID, rows[3].Parked = Ptr(uint32(1)), Ptr(uint32(2)),
		Ptr(uint64(66)), Ptr(false)
	rows[3].RunningGoID = Ptr(uint64(66))
	rows[5].LockedInt, rows[5].GoID, rows[5].Parked = Ptr(uint32(1)), Ptr(uint64(67)), Ptr(false)
	rows[8].RunningGoID, rows[8].P, rows[8].State, rows[8].WChan = Ptr(uint64(90)), Ptr(int32(3)), Ptr("R"), nil
	rows[9].M, rows[9].LockedExt, rows[9].LockedInt, rows[9].Name = nil, nil, nil, "wörker/1:\x1b[31m"
	rows[9].Nice = Ptr(-5)
	rows[10] = report.ListedThread{TID: 4252, Name: "renderd", Role: "unknown", Lock: "unknown"}
	for i, held := range []report.Held{
		report.NewHeld("exited", "", "", "futex", ""),
		report.NewHeld("parked", "example.com/render/internal/gpu.(*Device).loop", "runtime.chanrecv1", "futex", ""),
		report.NewHeld("runs", "main.spin", "", "", ""),
		report.NewHeld("c", "example.com/render/internal/gpu.flush", "example.com/render/internal/gpu._Cfunc_flush", "ioctl",
			"flush"),
		report.NewHeld("exited", "", "", "", ""),
		report.NewHeld("call", "main.onEvent", "os.(*File).Read", "read", ""),
		report.NewHeld("runtime", "sysmon", "", "nanosleep", ""), report.NewHeld("runtime", "template", "", "futex", ""),
		report.NewHeld("runs", "main.work", "", "", ""), report.NewHeld("foreign", "", "", "poll", ""),
		report.NewHeld("unknown", "", "", "", ""),
	} {
		rows[i].Held = held
	}
	a.Stack = []string{"runtime.gopark (proc.go:402)", "runtime.chanrecv1 (chan.go:489)",
		"example.com/render/internal/gpu.(*Device).loop (device.go:88)"}

	var many, c []report.ListedThread
	for i := range int32(40) {
		th := thread(5000+i, "worker", "none")
		th.Affinity = Ptr([]string{"0-15", "0-15", "0-7", "8"}[i%4])
		th.Nice = Ptr(int(i) % 7)
		if th.Held = report.NewHeld("idle", "", "", "futex", ""); i%8 > 0 {
			th.Held = report.NewHeld("call", "main.work"+string('A'+i%11), "syscall.Read", "read", "")
		}
		many = append(many, th)
		c = append(c, report.ListedThread{TID: 77 + i, Name: "nginx", Role: "unknown", Lock: "unknown", State: Ptr("S"),
			AgeSeconds: Ptr(3.5), CPUSeconds: Ptr(0.0), Held: report.NewHeld("unknown", "", "", "epoll_wait", "")})
	}
	c[2].Name, c[2].Role, c[2].Lock = "iou-wrk-77", "io_worker", "none"
	again := slices.Clone(many)
	again[1].Held, again[3].TID = report.NewHeld("idle", "", "", "futex", ""), 6003
	apart := slices.Clone(many)
	for i := range apart {
		apart[i].Namespaces = map[string]string{"net": "net:[4026531840]", "mnt": "mnt:[4026531841]"}
	}
	apart[7].Namespaces = map[string]string{"net": "net:[4026532301]", "mnt": "mnt:[4026531841]"}
	changed := report.NewThreadList(target, again, report.ByFunction, nil)
	changed.MarkChanges(report.NewThreadList(target, many, report.ByFunction, nil))
	return map[string]*report.ThreadList{
		"threads": report.NewThreadList(target, rows, report.ByFunction,
			[]string{"the process is traced (ptrace) by process 17"}),
		"threads_many":      report.NewThreadList(target, many, report.ByFunction, nil),
		"threads_changed":   changed,
		"threads_wait":      report.NewThreadList(target, rows, report.ByWait, nil),
		"threads_lock":      report.NewThreadList(target, rows, report.ByLock, nil),
		"threads_namespace": report.NewThreadList(target, apart, report.ByNamespace, nil),
		"threads_c": report.NewThreadList(report.Target{PID: 77}, c[:3], report.ByFunction,
			[]string{"kernel side only: process 77: not a Go program"}),
		"threads_none": report.NewThreadList(report.Target{PID: 1}, nil, report.ByFunction, nil),
	}
}

// holders are what holds the threads of a report.
func holders() (rows []report.ListedThread) {
	for i, h := range []report.Held{
		report.NewHeld("call", "main.onEvent", "os.(*File).Read", "read", ""),
		report.NewHeld("call", "main.onEvent", "os.(*File).Read", "read", ""),
		report.NewHeld("c", "example.com/render/internal/gpu.flush", "example.com/render/internal/gpu._Cfunc_flush", "ioctl",
			"flush"),
		report.NewHeld("idle", "", "", "futex", ""), report.NewHeld("runtime", "sysmon", "", "nanosleep", ""),
	} {
		rows = append(rows, report.ListedThread{TID: int32(4242 + i), Lock: "none", WChan: Ptr("futex_do_wait"), Held: h})
	}
	return rows
}

package goruntime

// Status of a goroutine (runtime/runtime2.go), the same numbers since Go 1.13. The others occur for moments only.
const (
	gRunnable  = 1
	gRunning   = 2
	gSyscall   = 3
	gWaiting   = 4
	gDead      = 6  // also of the goroutine of an extra M that no thread has, until Go 1.25
	gPreempted = 9  // since Go 1.14
	gDeadExtra = 11 // of the goroutine of an extra M that no thread has, since Go 1.26

	gScan = 0x1000 // set while the collector scans the goroutine's stack
)

// A view is one M with all that it points to, as it was read: raw values, none of them trusted.
type view struct {
	rawM
	addr   uint64
	locked rawG   // what lockedG points to
	cur    rawG   // what curG points to
	start  uint64 // the function behind startFn
	pid    int32  // of what p points to, -1 = none

	info *Info
	o    *Offsets
}

// judge says what the view means. steady: while it was read the M's lock did not change.
func (v *view) judge(steady bool) M {
	m := M{Addr: v.addr, ID: v.id, Ext: v.ext, Int: v.int, P: v.pid}
	if v.procID < maxTID && !v.idle() {
		m.TID = int32(v.procID)
	}
	m.Lock = LockUnknown
	if steady && v.procID < maxTID {
		m.Lock = v.lock()
	}
	m.Role = v.role(m.Lock)
	if m.Lock == LockUser || m.Lock == LockRuntime {
		m.GoID, m.EntryPC = v.locked.goid, v.locked.startPC
		switch v.locked.status &^ gScan {
		case gWaiting:
			m.WaitReason = v.locked.waitReason
			m.Parked = true
		case gRunnable, gPreempted:
			m.Parked = true
		}
	}
	if m.TID != 0 && v.cur.m == v.addr {
		m.CurGoID = v.cur.goid
	}
	return m
}

// idle reports whether this is an extra M that no thread has. dropm leaves the id of its last thread in it until Go 1.21; needm
// makes the status of its goroutine another than dead once the new thread's id is in place.
func (v *view) idle() bool {
	status := v.cur.status &^ gScan
	return v.int > 0 && v.curG != 0 && v.curG == v.lockedG && (status == gDead || status == gDeadExtra)
}

// lock says by whom the M is locked.
func (v *view) lock() string {
	switch {
	case v.ext == 0 && v.int == 0 && (v.lockedG == 0 || v.info.OffsetsProved):
		return LockNone
	case v.lockedG != 0 && v.locked.lockedM == v.addr:
		if v.ext > 0 {
			return LockUser
		}
		return LockRuntime
	case v.ext > 0 && v.lockedG == 0 && v.curG == 0 && v.p == 0 && v.info.OffsetsProved:
		// The goroutine is gone (proc.go, gdestroy) and mexit has given the P away. LockOSThread, too, counts before it sets
		// lockedg, but has a goroutine; coroswitch_m, where a coroutine ends, has neither for a moment, but a P.
		if v.isM0() {
			return LockWedged
		}
		return LockExiting
	}
	return LockUnknown
}

func (v *view) isM0() bool {
	if v.info.M0 != 0 {
		return v.addr == v.info.M0
	}
	return v.id == 0 // the first that mcommoninit numbers
}

// role says what the runtime uses the M for. mstartfn is written where an M is made (proc.go, allocm) and never again, Go 1.13 to
// 1.27.
func (v *view) role(lock string) string {
	switch {
	case v.isM0():
		return RoleMain
	case v.startFn == 0:
		return v.lent(lock)
	case v.start == 0:
		return RoleUnknown
	case v.start == v.info.Sysmon:
		return RoleSysmon
	case v.start == v.info.TemplateThread:
		return RoleTemplate
	case v.info.Sysmon != 0 && v.info.TemplateThread != 0, v.p != 0, v.curG != 0: // those two never run goroutines
		return RoleWorker
	}
	return RoleUnknown
}

// lent tells extra Ms from those that the runtime made a thread for.
func (v *view) lent(lock string) string {
	switch {
	case v.o.MIsExtra != Absent && v.extra == 1:
		return RoleCgoExtra
	case v.o.MIsExtra != Absent && v.extra != 0:
		return RoleUnknown // no bool
	case v.o.MIsExtra != Absent, v.int == 0:
		return RoleWorker // oneNewExtraM locks its M for good
	case lock != LockUser && lock != LockRuntime:
		return RoleUnknown
	case v.locked.startPC == 0:
		return RoleCgoExtra // newproc1 sets startpc of all goroutines; this one is oneNewExtraM's
	}
	return RoleWorker // its goroutine has called C, which has called Go
}

package goruntime

// Status of a goroutine (runtime/runtime2.go). The numbers are the same since Go 1.13. Other values
// are transient.
const (
	gRunnable  = 1
	gRunning   = 2
	gSyscall   = 3
	gWaiting   = 4
	gDead      = 6  // until Go 1.25 also that of the goroutine of an extra M without a thread
	gPreempted = 9  // since Go 1.14
	gDeadExtra = 11 // since Go 1.26 that of the goroutine of an extra M without a thread

	gScan = 0x1000 // set while the collector scans the goroutine's stack
)

// A reading holds the raw values of one M and of the structs that it points to. None of them is
// trusted.
type reading struct {
	rawM
	addr   uint64
	locked rawG   // at lockedG
	cur    rawG   // at curG
	start  uint64 // the function of startFn
	pid    int32  // p.id, -1 = none

	info *Info
	o    *Offsets
}

// judge returns the M of the reading. steady: the lock did not change during the read.
func (v *reading) judge(steady bool) M {
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
		m.CurGoID, m.G, m.CurEntryPC = v.cur.goid, v.curG, v.cur.startPC
		m.InCall = v.cur.status&^gScan == gSyscall
	} else if m.GoID != 0 {
		m.G = v.lockedG
	}
	return m
}

// idle reports whether this is an extra M without a thread. Until Go 1.21 dropm leaves the id of
// the last thread in it. needm changes the status of its goroutine from dead after it has set the
// id of the new thread.
func (v *reading) idle() bool {
	status := v.cur.status &^ gScan
	return v.int > 0 && v.curG != 0 && v.curG == v.lockedG && (status == gDead || status == gDeadExtra)
}

// lock returns the lock of the M.
func (v *reading) lock() string {
	switch {
	case v.ext == 0 && v.int == 0 && (v.lockedG == 0 || v.info.OffsetsProved):
		return LockNone
	case v.lockedG != 0 && v.locked.lockedM == v.addr:
		if v.ext > 0 {
			return LockUser
		}
		return LockRuntime
	case v.ext > 0 && v.lockedG == 0 && v.curG == 0 && v.p == 0 && v.info.OffsetsProved:
		// The goroutine is gone (proc.go, gdestroy) and mexit has handed off the P. Two other places set
		// the count without lockedg: LockOSThread, but it has a goroutine, and coroswitch_m at the end of
		// a coroutine, but it has a P.
		if v.isM0() {
			return LockWedged
		}
		return LockExiting
	}
	return LockUnknown
}

func (v *reading) isM0() bool {
	if v.info.M0 != 0 {
		return v.addr == v.info.M0
	}
	return v.id == 0 // mcommoninit numbers m0 first
}

// role returns the role of the M. allocm (proc.go) sets mstartfn once, in Go 1.13 to 1.27.
func (v *reading) role(lock string) string {
	switch {
	case v.isM0():
		return RoleMain
	case v.startFn == 0:
		return v.roleWithoutStart(lock)
	case v.start == 0:
		return RoleUnknown
	case v.start == v.info.Sysmon:
		return RoleSysmon
	case v.start == v.info.TemplateThread:
		return RoleTemplate
	case v.info.Sysmon != 0 && v.info.TemplateThread != 0, v.p != 0, v.curG != 0:
		return RoleWorker // sysmon and the template thread never run goroutines
	}
	return RoleUnknown
}

// roleWithoutStart returns the role of an M without mstartfn: an extra M, or one that the runtime
// made a thread for.
func (v *reading) roleWithoutStart(lock string) string {
	switch {
	case v.o.MIsExtra != Absent && v.extra == 1:
		return RoleCgoExtra
	case v.o.MIsExtra != Absent && v.extra != 0:
		return RoleUnknown // not a bool
	case v.o.MIsExtra != Absent, v.int == 0:
		return RoleWorker // oneNewExtraM never unlocks its M
	case lock != LockUser && lock != LockRuntime:
		return RoleUnknown
	case v.locked.startPC == 0:
		return RoleCgoExtra // newproc1 sets startpc, oneNewExtraM does not
	}
	return RoleWorker // its goroutine has called C, which has called Go
}

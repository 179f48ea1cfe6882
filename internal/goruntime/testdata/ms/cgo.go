//go:build withcgo
// +build withcgo

package main

/*
#cgo LDFLAGS: -lpthread
void foreign(void), returned(void), extra(void), extraLocked(void), nested(void);
*/
import "C"

import "runtime"

// inC returns functions whose threads have C frames.
func inC() []func() {
	return []func(){
		func() { C.foreign() }, func() { C.returned() }, func() { C.extra() }, func() { C.extraLocked() }, nest,
	}
}

// nest calls C, which calls Go.
func nest() { C.nested() }

//export goForeign
func goForeign(tid C.int) { ready <- thread{TID: int(tid), Gone: true} }

// goReturned reports a thread that has called Go. Since Go 1.21 it keeps its M for the next call.
//
//export goReturned
func goReturned(tid, id C.int) {
	ready <- thread{TID: int(tid), GoID: int64(id), Role: "cgo_extra", Lock: "runtime", Int: 1, Gone: !keepsM()}
}

//export goID
func goID() C.int { return C.int(goid()) }

//export goExtra
func goExtra() {
	ready <- self(thread{Role: "cgo_extra", Lock: "runtime", Int: 2, Parked: true})
	select {}
}

//export goExtraLocked
func goExtraLocked() {
	runtime.LockOSThread()
	ready <- self(thread{Role: "cgo_extra", Lock: "user", Ext: 1, Int: 2, Parked: true})
	select {}
}

//export goNested
func goNested() {
	ready <- self(thread{Role: "worker", Lock: "runtime", Int: 1, Entry: "main.nest", Parked: true})
	select {}
}

// keepsM reports whether a C thread keeps its M between calls into Go (runtime.bindm).
func keepsM() bool {
	switch v := runtime.Version(); {
	case len(v) < 6 || v[:4] != "go1.":
		return true
	default:
		minor := 0
		for _, c := range v[4:] {
			if c < '0' || c > '9' {
				break
			}
			minor = 10*minor + int(c-'0')
		}
		return minor >= 21
	}
}

package workload

import "runtime"

// Site is a function that calls LockOSThread.
type Site struct {
	Function string `json:"function"` // full name
	File     string `json:"file"`     // as the program's own line table has it, as Line
	Line     int    `json:"line"`     // of the call
	Pins     uint64 `json:"pins"`     // calls from Start on
}

// locking notes that its caller calls LockOSThread on the next line. What is locked before the beginning does not count.
func (s *stage) locking() {
	if s.began == 0 {
		return
	}
	var pcs [1]uintptr
	f, _ := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])]).Next()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.sites {
		if s.sites[i].Function == f.Function && s.sites[i].Line == f.Line+1 {
			s.sites[i].Pins++
			return
		}
	}
	s.sites = append(s.sites, Site{Function: f.Function, File: f.File, Line: f.Line + 1, Pins: 1})
}

// entry is the full name of the function that the calling goroutine was started with. For go f(x) that is f, though since
// Go 1.17 the goroutine begins in a wrapper without arguments: tracebacks leave wrappers out.
func entry() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	name := ""
	for {
		f, more := frames.Next()
		if f.Function != "" && f.Function != "runtime.goexit" {
			name = f.Function
		}
		if !more {
			return name
		}
	}
}

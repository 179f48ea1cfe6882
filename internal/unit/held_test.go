package unit

import "testing"

func TestHeld(t *testing.T) {
	for want, h := range map[string]Held{
		"main.f in read(2), anon_pipe_read": {Use: "call", Function: "example.com/main.f", Call: "read",
			WChan: "anon_pipe_read"},
		"main.f in syscall 999":        {Use: "call", Function: "main.f", Call: "syscall 999"},
		"a goroutine in a system call": {Use: "call"},
		"main.f in C (usleep), nanosleep(2), x": {Use: "c", Function: "main.f", CFunc: "usleep",
			Call: "nanosleep", WChan: "x"},
		"main.f in C":                                       {Use: "c", Function: "main.f"},
		"main.f, running":                                   {Use: "runs", Function: "main.f"},
		"main.f, parked in runtime.chanrecv1":               {Use: "parked", Function: "main.f", Via: "runtime.chanrecv1"},
		"main.f, interrupted, waits for its turn":           {Use: "parked", Function: "main.f", Via: "runtime.asyncPreempt"},
		"main.f, parked":                                    {Use: "parked", Function: "main.f"},
		"the runtime itself: sysmon":                        {Use: "runtime", Function: "sysmon", Call: "nanosleep"},
		"no goroutine: it exited while locked":              {Use: "exited"},
		"a C thread in poll(2), x":                          {Use: "foreign", Call: "poll", WChan: "x"},
		"a C thread":                                        {Use: "foreign"},
		"the kernel's own work, io_wqe_worker":              {Use: "foreign", Function: "io_worker", WChan: "io_wqe_worker"},
		"not known by whom, futex(2)":                       {Use: "unknown", Call: "futex"},
		"nothing: the thread has ended, others go on":       {Use: "ended"},
		"not known by whom":                                 {},
		"no goroutine: idle, kept by the runtime for later": {Use: "idle", Call: "futex", WChan: "futex_do_wait"},
	} {
		if got := h.String(); got != want {
			t.Errorf("%+v: %q, want %q", h, got, want)
		}
	}
}

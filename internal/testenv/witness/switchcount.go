package witness

// SwitchCount has the totals of a window of switches.
type SwitchCount struct {
	Switches   uint64 // switch-outs
	Migrations uint64 // switch-ins on another CPU than the thread last ran on; a new thread's first one does not count
	Unseen     uint64 // migrations whose switch-in was not reported; they count when the thread leaves that CPU
}

// CountSwitches counts the switches in [start, end), over all threads and by thread. events are all
// that Stop returned: those before start show where threads ran. lastCPU is where the threads that
// lived before them ran last.
func CountSwitches(events []SwitchEvent, lastCPU map[int32]int, start, end int64) (SwitchCount, map[int32]SwitchCount) {
	cpu := map[int32]int{}
	for tid, c := range lastCPU {
		cpu[tid] = c
	}
	var all SwitchCount
	byThread := map[int32]SwitchCount{}
	for _, e := range events {
		if e.Time >= end {
			break
		}
		var n SwitchCount
		last, known := cpu[e.TID]
		moved := known && last != e.CPU
		if moved {
			n.Migrations = 1
		}
		if !e.In {
			n.Switches = 1
			if moved {
				n.Unseen = 1
			}
		}
		if cpu[e.TID] = e.CPU; e.Dead {
			delete(cpu, e.TID) // another thread may get the id
		}
		if e.Time < start || n == (SwitchCount{}) {
			continue
		}
		all.add(n)
		of := byThread[e.TID]
		of.add(n)
		byThread[e.TID] = of
	}
	return all, byThread
}

func (c *SwitchCount) add(n SwitchCount) {
	c.Switches += n.Switches
	c.Migrations += n.Migrations
	c.Unseen += n.Unseen
}

package truth

// The samples that have no name in the report: threads' time.
const (
	onCPU         = "thread run"             // switch-in → switch-out
	waitWoken     = "thread wait, woken"     // waking → switch-in
	waitPreempted = "thread wait, preempted" // switch-out → switch-in
)

// interval is one thing that took time, on one thread.
type interval struct {
	tid        int32
	begin, end int64
}

func (iv interval) ns() int64 { return iv.end - iv.begin }

// life is the state of one thread.
type life struct {
	clone, tgkill, generated, delivered, exit int64 // when it began; 0 = it is not
	created                                   int64 // when the clone that made it began
	fresh                                     bool  // it has not run yet
	firstIn                                   int64
	altstack, ready                           bool
	mask, mexit                               int64 // the last sigmask; the one that a sigaltstack followed
	on                                        int64 // when it came to its CPU
	woken, out                                int64 // since it left: when it was woken, and when it left still runnable
}

// intervals are the samples in a stream, by name: "ID phase" for the report's, else as above. Each
// is defined here a second time, for all instruments alike: pinwatch's correlator must make the
// same samples of the same moments.
func (s stream) intervals(lived map[int32]bool) map[string][]interval {
	all := map[string][]interval{}
	lives := map[int32]*life{}
	of := func(tid int32) *life {
		if lives[tid] == nil {
			lives[tid] = &life{}
		}
		return lives[tid]
	}
	for _, m := range s {
		t := of(m.tid)
		sample := func(name string, begin *int64) {
			if *begin != 0 {
				all[name] = append(all[name], interval{m.tid, *begin, m.at})
			}
			*begin = 0
		}
		switch m.what {
		case doClone:
			t.clone = m.at
		case newTask:
			lives[m.tid] = &life{created: of(m.by).clone, fresh: true}
		case cloneDone:
			if m.arg > 0 {
				sample("P-8 clone_syscall", &t.clone)
			}
			t.clone = 0
		case sigaltstack:
			t.altstack, t.mexit = true, t.mask
		case sigmask:
			if t.altstack && !t.ready && t.created != 0 {
				t.ready = true
				if t.firstIn != 0 {
					all["P-8 start"] = append(all["P-8 start"], interval{m.tid, t.firstIn, m.at})
				}
				all["P-8 total"] = append(all["P-8 total"], interval{m.tid, t.created, m.at})
			}
			t.mask, t.mexit = m.at, 0
		case doExit:
			sample("P-9 runtime", &t.mexit)
			t.exit = m.at
		case doTgkill:
			t.tgkill = m.at
		case tgkillDone:
			if m.arg == 0 {
				sample("P-5 send", &t.tgkill)
			}
			t.tgkill = 0
		case generate:
			if m.arg == 0 && lived[m.by] {
				t.generated = m.at
			}
		case deliver:
			t.delivered = 0
			if t.generated != 0 {
				t.delivered = m.at
			}
			sample("P-5 deliver", &t.generated)
		case sigreturn:
			sample("P-5 handler", &t.delivered)
		case waking:
			t.woken = m.at
		case comeOn:
			t.comesOn(m, sample, all)
		case goOff:
			sample(onCPU, &t.on)
			t.fresh, t.woken, t.out = false, 0, 0
			switch m.arg {
			case outRunnable:
				t.out = m.at
			case outDead:
				sample("P-9 exit", &t.exit)
			}
		}
	}
	return all
}

func (t *life) comesOn(m moment, sample func(string, *int64), all map[string][]interval) {
	t.on = m.at
	switch {
	case t.fresh:
		t.fresh, t.firstIn = false, m.at
		if t.created != 0 {
			all["P-8 spawn"] = append(all["P-8 spawn"], interval{m.tid, t.created, m.at})
		}
		sample("P-8 runq_wait", &t.woken)
	case t.out != 0:
		sample(waitPreempted, &t.out)
	default:
		sample(waitWoken, &t.woken)
	}
	t.woken, t.out = 0, 0
}

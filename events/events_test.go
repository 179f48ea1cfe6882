package events

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf/btf"

	"github.com/pinwatch/pinwatch/bpf"
)

// The Go mirror of every record has the layout of the C one, without padding that could leak.
func TestRecordsMatchBTF(t *testing.T) {
	spec, err := bpf.LoadPinwatch()
	if err != nil {
		t.Fatal(err)
	}
	for name, mirror := range map[string]any{
		"event_header": bpf.PinwatchEventHeader{}, "event_thread": bpf.PinwatchEventThread{},
		"event_newtask": bpf.PinwatchEventNewtask{}, "event_clone_enter": bpf.PinwatchEventCloneEnter{},
		"event_return": bpf.PinwatchEventReturn{}, "event_plain": bpf.PinwatchEventPlain{},
		"event_sigmask": bpf.PinwatchEventSigmask{}, "event_sigaltstack": bpf.PinwatchEventSigaltstack{},
		"event_signal_generate": bpf.PinwatchEventSignalGenerate{}, "event_sigreturn": bpf.PinwatchEventSigreturn{},
		"event_exec":   bpf.PinwatchEventExec{},
		"event_switch": bpf.PinwatchEventSwitch{}, "resolved": bpf.PinwatchResolved{},
	} {
		var c *btf.Struct
		if err := spec.Types.TypeByName(name, &c); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		g := reflect.TypeOf(mirror)
		if uintptr(c.Size) != g.Size() {
			t.Errorf("%s: %d bytes in C, %d in Go", name, c.Size, g.Size())
		}
		end := uint32(0)
		for i, m := range c.Members {
			f := g.Field(i + 1) // after structs.HostLayout
			if uintptr(m.Offset.Bytes()) != f.Offset {
				t.Errorf("%s.%s: offset %d in C, %d in Go", name, m.Name, m.Offset.Bytes(), f.Offset)
			}
			if m.Offset.Bytes() != end {
				t.Errorf("%s.%s: padding before it", name, m.Name)
			}
			size, err := btf.Sizeof(m.Type)
			if err != nil {
				t.Fatal(err)
			}
			end = m.Offset.Bytes() + uint32(size)
		}
		if end != c.Size {
			t.Errorf("%s: %d bytes of padding at its end", name, c.Size-end)
		}
	}
}

func TestEveryKernelKindHasASpec(t *testing.T) {
	for k := Kind(1); k < kernelKinds; k++ {
		s := specs[k]
		if s.name == "" || s.size == 0 || s.decode == nil {
			t.Errorf("kind %d: %+v", k, s)
		}
	}
}

func TestDecodeSwitch(t *testing.T) {
	r := bpf.PinwatchEventSwitch{
		H:     bpf.PinwatchEventHeader{Time: 77, Tid: 5, Cpu: 3, Kind: uint8(Switch), Flags: SwitchRun | SwitchOff},
		RunNs: 1, RunqNs: 2, BlockedNs: 3, Waker: 4, LastCpu: -1, Why: 2,
	}
	var e Event
	if err := Decode(bytesOf(&r), &e, nil); err != nil {
		t.Fatal(err)
	}
	if e.Time != 77 || e.TID != 5 || e.CPU != 3 || e.LastCPU() != -1 || !e.Has(SwitchRun|SwitchOff) || e.Has(SwitchDead) {
		t.Errorf("decoded %+v", e)
	}
	const want = "77 switch tid=5 cpu=3 flags=run|off run=1 runq=2 blocked=3 waker=4 last_cpu=-1 why=2"
	if got := string(e.AppendText(nil)); got != want {
		t.Errorf("text\n got %s\nwant %s", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { _ = Decode(bytesOf(&r), &e, nil) }); n != 0 {
		t.Errorf("decoding allocates %g times", n)
	}
}

func bytesOf[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

func TestDecodeRefuses(t *testing.T) {
	h := bpf.PinwatchEventHeader{Kind: uint8(Switch)}
	for name, raw := range map[string][]byte{
		"empty": nil, "short header": make([]byte, headerSize-1), "kind 0": make([]byte, 64),
		"short switch": bytesOf(&h), "unknown kind": bytesOf(&bpf.PinwatchEventHeader{Kind: 200}),
		"user space's kind": bytesOf(&bpf.PinwatchEventHeader{Kind: uint8(WindowStart)}),
	} {
		var e Event
		if err := Decode(raw, &e, nil); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v, want ErrRecord", name, err)
		}
	}
}

// Any event equals the one parsed from its text form, whatever its bits.
func FuzzText(f *testing.F) {
	f.Add(uint8(Thread), uint8(3), uint64(1), uint64(0x6f69646172), int64(-5))
	f.Add(uint8(Switch), uint8(255), uint64(1<<63), uint64(0xffff), int64(1))
	f.Add(uint8(SignalGenerate), uint8(9), uint64(0), uint64(1), int64(0))
	f.Fuzz(func(t *testing.T, kind, flags uint8, a, b uint64, at int64) {
		e := Event{Time: Time(at), TID: uint32(a), CPU: uint16(b), Kind: Kind(kind), Flags: flags}
		if kind == 0 || e.Kind >= kindCount {
			return
		}
		for i, name := range specs[kind].args {
			e.Args[i] = []uint64{a, b}[i%2]
			if name == argSigned {
				e.Args[i] = uint64(uint16(a))
			}
		}
		got, err := ParseText(string(e.AppendText(nil)))
		if err != nil {
			t.Fatalf("%s: %v", e.AppendText(nil), err)
		}
		if got != e {
			t.Fatalf("%s\n got %+v\nwant %+v", e.AppendText(nil), got, e)
		}
	})
}

func FuzzParseText(f *testing.F) {
	seed, err := os.ReadFile("../correlate/testdata/thread_is_born_and_dies.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(seed)) {
		f.Add(strings.TrimSpace(line))
	}
	f.Add(`1 thread comm="a\x00b" last_cpu=-1`)
	f.Fuzz(func(t *testing.T, line string) {
		e, err := ParseText(line)
		if err != nil {
			return
		}
		again, err := ParseText(string(e.AppendText(nil)))
		if err != nil || again != e {
			t.Fatalf("%q\n -> %s\n -> %+v, %v", line, e.AppendText(nil), again, err)
		}
	})
}

func TestParseTextRefuses(t *testing.T) {
	for _, line := range []string{"", "1", "x switch", "1 nonsense", "1 switch tid=-1", "1 switch tid=99999999999",
		"1 switch color=red", "1 switch flags=flying", "1 switch run=fast", `1 thread comm=bare`,
		`1 thread comm="more than sixteen"`} {
		if e, err := ParseText(line); err == nil {
			t.Errorf("%q parsed as %+v", line, e)
		}
	}
}

func TestReorder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r Reorder
	var got []Time
	out := func(e *Event) { got = append(got, e.Time) }
	for at := Time(1000); at < 6000; at++ {
		r.Push(&Event{Time: at - Time(rng.IntN(100))})
		if at%37 == 0 {
			r.Release(at-100, out)
		}
	}
	r.Release(1<<62, out)
	if len(got) != 5000 || r.Late() != 0 {
		t.Fatalf("%d events, %d late", len(got), r.Late())
	}
	for i := 1; i < len(got); i++ {
		if got[i] < got[i-1] {
			t.Fatalf("event %d at %d after %d", i, got[i], got[i-1])
		}
	}
}

func TestReorderCountsLate(t *testing.T) {
	var r Reorder
	n := 0
	out := func(*Event) { n++ }
	r.Push(&Event{Time: 10})
	r.Release(11, out)
	r.Push(&Event{Time: 9})
	r.Push(&Event{Time: 10}) // not earlier than what was released
	r.Release(11, out)
	if n != 3 || r.Late() != 1 {
		t.Errorf("%d events, %d late; want 3, 1", n, r.Late())
	}
}

// Passed events go out at once while none is held back, else in the order of their times.
func TestReorderPasses(t *testing.T) {
	var r Reorder
	var got []Time
	out := func(e *Event) { got = append(got, e.Time) }
	r.Pass(&Event{Time: 10}, out)
	r.Push(&Event{Time: 12})
	for _, at := range []Time{11, 13} {
		if r.Pass(&Event{Time: at}, out); len(got) != 1 {
			t.Errorf("passed: %v", got)
		}
	}
	r.Release(20, out)
	r.Pass(&Event{Time: 9}, out)
	if want := []Time{10, 11, 12, 13, 9}; !slices.Equal(got, want) || r.Late() != 1 {
		t.Errorf("passed %v, want %v; %d late, want 1", got, want, r.Late())
	}
}

// However late the releases are, memory stays bounded: the oldest events go early, and in order.
func TestReorderIsBounded(t *testing.T) {
	var r Reorder
	n, last := 0, Time(0)
	out := func(e *Event) {
		if e.Time < last {
			t.Fatal("out of order")
		}
		n, last = n+1, e.Time
	}
	for at := Time(1); at <= 3*maxHeld; at++ {
		r.Push(&Event{Time: at})
		if at%1000 == 0 {
			r.Release(0, out)
		}
	}
	if held := 3*maxHeld - n; held > maxHeld+1000 {
		t.Errorf("%d events held", held)
	}
	if cap(r.held) > 4*maxHeld {
		t.Errorf("room for %d events", cap(r.held))
	}
}

func BenchmarkDecode(b *testing.B) {
	r := bpf.PinwatchEventSwitch{H: bpf.PinwatchEventHeader{Kind: uint8(Switch)}}
	raw := bytesOf(&r)
	var e Event
	for b.Loop() {
		_ = Decode(raw, &e, nil)
	}
}

// Sorted runs, one for each CPU, come out as a stable sort would have them, whatever is released
// between them.
func TestReorderMergesRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var r Reorder
	var pushed, got []Event
	out := func(e *Event) { got = append(got, *e) }
	for batch := Time(0); batch < 200; batch++ {
		for cpu := range uint16(rng.IntN(9)) {
			at := 1000 * batch
			for range rng.IntN(40) {
				at += Time(rng.IntN(50))
				e := Event{Time: max(0, at-Time(rng.IntN(4)*rng.IntN(300))), CPU: cpu, TID: uint32(len(pushed))}
				pushed = append(pushed, e)
				r.Push(&e)
			}
		}
		r.Release(1000*batch-1000, out)
	}
	r.Release(1<<62, out)
	slices.SortStableFunc(pushed, func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
	if !slices.Equal(got, pushed) || r.Late() != 0 || len(pushed) < 10_000 {
		t.Errorf("%d events out of %d are not the sorted ones, %d late", len(got), len(pushed), r.Late())
	}
}

// BenchmarkReorder is batches of 20 ms in which each CPU's records are a run, the newest 30 ms
// held.
func BenchmarkReorder(b *testing.B) {
	const batch, every = Time(20e6), Time(1000)
	for _, cpus := range []Time{1, 2, 16, 128} {
		b.Run(fmt.Sprintf("cpus=%d", cpus), func(b *testing.B) {
			var r Reorder
			begin, cpu, at := Time(0), Time(0), Time(0)
			for b.Loop() {
				r.Push(&Event{Time: begin + at + cpu})
				if at += every * cpus; at < batch {
					continue
				}
				at = 0
				if cpu++; cpu == cpus {
					cpu = 0
					begin += batch
					r.Release(begin-3*batch/2, func(*Event) {})
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
		})
	}
}

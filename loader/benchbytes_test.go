package loader

import (
	"testing"
	"time"
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// ringHeader is the ring buffer's header of each record in bytes (BPF_RINGBUF_HDR_SZ,
// include/uapi/linux/bpf.h).
const ringHeader = 8

// recordBytes is the size of each kind's record in the ring, without its header.
var recordBytes = map[events.Kind]uintptr{
	events.NewTask:        unsafe.Sizeof(bpf.PinwatchEventNewtask{}),
	events.CloneEnter:     unsafe.Sizeof(bpf.PinwatchEventCloneEnter{}),
	events.CloneExit:      unsafe.Sizeof(bpf.PinwatchEventReturn{}),
	events.ExitEnter:      unsafe.Sizeof(bpf.PinwatchEventStacked{}),
	events.ProcessExit:    unsafe.Sizeof(bpf.PinwatchEventPlain{}),
	events.ProcessFree:    unsafe.Sizeof(bpf.PinwatchEventPlain{}),
	events.Sigmask:        unsafe.Sizeof(bpf.PinwatchEventSigmask{}),
	events.Sigaltstack:    unsafe.Sizeof(bpf.PinwatchEventSigaltstack{}),
	events.TgkillEnter:    unsafe.Sizeof(bpf.PinwatchEventStacked{}),
	events.TgkillExit:     unsafe.Sizeof(bpf.PinwatchEventReturn{}),
	events.SignalGenerate: unsafe.Sizeof(bpf.PinwatchEventSignalGenerate{}),
	events.SignalDeliver:  unsafe.Sizeof(bpf.PinwatchEventSignalDeliver{}),
	events.Sigreturn:      unsafe.Sizeof(bpf.PinwatchEventSigreturn{}),
	events.Switch:         unsafe.Sizeof(bpf.PinwatchEventSwitch{}),
	events.ThreadM:        unsafe.Sizeof(bpf.PinwatchEventThreadM{}),
	events.Lock:           unsafe.Sizeof(bpf.PinwatchEventLock{}),
	events.Park:           unsafe.Sizeof(bpf.PinwatchEventStacked{}),
}

// BenchmarkBytes measures the bytes per event in the ring buffer.
func BenchmarkBytes(b *testing.B) {
	testenv.Require(b, testenv.BPF)
	for _, bc := range [][]string{
		{"pingpong", "-pairs", "2"}, {"burst", "-n", "8", "-every", "0"}, {"storm"}, {"demo"},
	} {
		b.Run(bc[0], func(b *testing.B) {
			p := testenv.Workload(b, bc...)
			rt, err := goruntime.Open(p.PID, goruntime.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer rt.Close()
			s := attachTo(b, p.PID, Config{Runtime: RuntimeOf(&rt.Info)})
			var n, bytes uintptr
			for range firingSlices {
				time.Sleep(firingSlice)
				for _, e := range drain(b, s) {
					size, ok := recordBytes[e.Kind]
					if !ok {
						b.Fatalf("an event of kind %s", e.Kind)
					}
					n++
					bytes += size + ringHeader
				}
			}
			if n == 0 {
				b.Fatal("no events")
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(n), "events")
			b.ReportMetric(float64(bytes)/float64(n), "bytes/event")
		})
	}
}

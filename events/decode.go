package events

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
)

// ErrRecord is wrapped by every error about a record that the kernel side cannot have written.
var ErrRecord = errors.New("malformed record")

const headerSize = unsafe.Sizeof(bpf.PinwatchEventHeader{})

// Decode turns one record of the ring buffer or of the snapshot iterator into an event. It allocates nothing.
// The record may be longer than its kind needs, never shorter.
func Decode(raw []byte, e *Event) error {
	if uintptr(len(raw)) < headerSize {
		return fmt.Errorf("%w: %d bytes, a header has %d", ErrRecord, len(raw), headerSize)
	}
	p := unsafe.Pointer(unsafe.SliceData(raw))
	h := (*bpf.PinwatchEventHeader)(p)
	kind := Kind(h.Kind)
	if kind == 0 || kind >= kernelKinds {
		return fmt.Errorf("%w: kind %d", ErrRecord, h.Kind)
	}
	s := &specs[kind]
	if uintptr(len(raw)) < s.size {
		return fmt.Errorf("%w: %s has %d bytes, want %d", ErrRecord, s.name, len(raw), s.size)
	}
	*e = Event{Time: Time(h.Time), TID: h.Tid, CPU: h.Cpu, Kind: kind, Flags: h.Flags}
	s.decode(p, e)
	return nil
}

func decodePlain(unsafe.Pointer, *Event) {}

// decodeValue serves the kinds whose one argument is the 8 bytes after the header.
func decodeValue(p unsafe.Pointer, e *Event) { e.Args[ArgValue] = (*bpf.PinwatchEventSigmask)(p).Set }

func decodeSigaltstack(p unsafe.Pointer, e *Event) {
	e.Args[ArgValue] = uint64((*bpf.PinwatchEventSigaltstack)(p).SsFlags)
}

func decodeThread(p unsafe.Pointer, e *Event) {
	r := (*bpf.PinwatchEventThread)(p)
	e.Args = [8]uint64{r.OffTime, r.WakeTime, r.RunTime, uint64(r.NsTid), uint64(uint16(r.LastCpu)), uint64(r.Why)}
	for i, c := range r.Comm {
		e.Args[ArgComm+i/8] |= uint64(uint8(c)) << (i % 8 * 8)
	}
}

func decodeNewTask(p unsafe.Pointer, e *Event) {
	r := (*bpf.PinwatchEventNewtask)(p)
	e.Args = [8]uint64{uint64(r.Parent), uint64(r.NsTid), r.CloneFlags, r.Enter}
}

func decodeSignalGenerate(p unsafe.Pointer, e *Event) {
	r := (*bpf.PinwatchEventSignalGenerate)(p)
	e.Args = [8]uint64{uint64(r.Sender), uint64(r.SenderTgid), uint64(r.Result), uint64(r.Group), r.Enter}
}

func decodeReturn(p unsafe.Pointer, e *Event) {
	r := (*bpf.PinwatchEventReturn)(p)
	e.Args = [8]uint64{uint64(r.Ret), r.Enter}
}

func decodeExec(p unsafe.Pointer, e *Event) {
	r := (*bpf.PinwatchEventExec)(p)
	e.Args = [8]uint64{uint64(r.OldTid), uint64(r.NsTid)}
}

func decodeSwitch(p unsafe.Pointer, e *Event) {
	r := (*bpf.PinwatchEventSwitch)(p)
	e.Args = [8]uint64{r.RunNs, r.RunqNs, r.BlockedNs, uint64(r.Waker), uint64(uint16(r.LastCpu)), uint64(r.Why)}
}

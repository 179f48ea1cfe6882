package events

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
)

// ErrRecord is wrapped by every error about a record that the kernel side cannot have written.
var ErrRecord = errors.New("malformed record")

const headerSize = unsafe.Sizeof(bpf.PinwatchEventHeader{})

// Decode turns one record of the ring buffer or of the snapshot iterator into an event. It
// allocates nothing. The record may be longer than its kind needs, never shorter. Its stack goes to
// stacks, which may be nil.
func Decode(raw []byte, e *Event, stacks *Stacks) error {
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
	s.decode(p, e, stacks)
	return nil
}

// DecodeSnapshot passes the events of one record of the snapshot iterator to out: the thread's
// state and before it, in an aggregating session, its sums that were not sent yet. The event is
// only valid during the call.
func DecodeSnapshot(raw []byte, out func(*Event)) error {
	if uintptr(len(raw)) < unsafe.Sizeof(bpf.PinwatchSnapshot{}) {
		return fmt.Errorf("%w: %d bytes, want %d", ErrRecord, len(raw), unsafe.Sizeof(bpf.PinwatchSnapshot{}))
	}
	r := (*bpf.PinwatchSnapshot)(unsafe.Pointer(unsafe.SliceData(raw)))
	var e Event
	for _, h := range []*bpf.PinwatchEventHeader{&r.SumLock.H, &r.Sum.H, &r.Thread.H} {
		if h.Kind == 0 {
			continue
		}
		offset := uintptr(unsafe.Pointer(h)) - uintptr(unsafe.Pointer(r))
		if err := Decode(raw[offset:], &e, nil); err != nil {
			return err
		}
		out(&e)
	}
	return nil
}

func decodePlain(unsafe.Pointer, *Event, *Stacks) {}

func decodeSigreturn(p unsafe.Pointer, e *Event, _ *Stacks) {
	e.Args[ArgValue] = (*bpf.PinwatchEventSigreturn)(p).Pc
}

func decodeSigmask(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventSigmask)(p)
	e.Args[ArgValue], e.Args[ArgUnread] = r.Set, r.Unread
}

func decodeSigaltstack(p unsafe.Pointer, e *Event, _ *Stacks) {
	e.Args[ArgValue] = uint64((*bpf.PinwatchEventSigaltstack)(p).SsFlags)
}

func decodeCloneEnter(p unsafe.Pointer, e *Event, stacks *Stacks) {
	r := (*bpf.PinwatchEventCloneEnter)(p)
	e.Args = [8]uint64{r.CloneFlags, stacks.add(r.Stack.Depth, &r.Stack.Pcs), r.Lock}
}

func decodeStacked(p unsafe.Pointer, e *Event, stacks *Stacks) {
	r := (*bpf.PinwatchEventStacked)(p)
	e.Args[ArgStack] = stacks.add(r.Stack.Depth, &r.Stack.Pcs)
}

func decodeThreadM(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventThreadM)(p)
	e.Args = [8]uint64{r.M, r.Id, r.Start, r.Extra}
}

func decodeLock(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventLock)(p)
	e.Args = [8]uint64{r.Goid, r.Entry, uint64(r.Ext), uint64(r.Internal), r.Parked}
}

// decodePin adds the caller of the function entered, the innermost frame: no frame pointer leads to
// it yet.
func decodePin(p unsafe.Pointer, e *Event, stacks *Stacks) {
	r := (*bpf.PinwatchEventPin)(p)
	e.Args = [8]uint64{r.Goid, r.Ext, stacks.addCalled(r.Caller, r.Stack.Depth, &r.Stack.Pcs)}
}

func decodeThread(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventThread)(p)
	e.Args = [8]uint64{r.OffTime, r.WakeTime, r.RunTime, uint64(r.NsTid), uint64(uint16(r.LastCpu)), uint64(r.Why)}
	e.setName(ArgComm, &r.Comm)
}

func decodeDelay(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventDelay)(p)
	e.Args = [8]uint64{ArgWaitEnd: r.End, ArgWait: r.WaitNs, ArgBefore: uint64(r.Before.Id), ArgTaker: uint64(r.Taker.Id)}
	e.setName(ArgBeforeComm, &r.Before.Comm)
	e.setName(ArgTakerComm, &r.Taker.Comm)
}

func decodeNewTask(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventNewtask)(p)
	e.Args = [8]uint64{uint64(r.Parent), uint64(r.NsTid), r.CloneFlags, r.Enter}
}

func decodeSignalGenerate(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventSignalGenerate)(p)
	e.Args = [8]uint64{uint64(r.Sender), uint64(r.SenderTgid), uint64(r.Result), uint64(r.Group), r.Enter, uint64(r.Lock)}
}

func decodeSignalDeliver(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventSignalDeliver)(p)
	e.Args = [8]uint64{ArgCallEnd: uint64(r.End), ArgCall: uint64(r.Call)}
}

func decodeReturn(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventReturn)(p)
	e.Args = [8]uint64{uint64(r.Ret), r.Enter}
}

func decodeExec(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventExec)(p)
	e.Args = [8]uint64{uint64(r.OldTid), uint64(r.NsTid), uint64(r.FromSlot), uint64(r.ToSlot)}
}

// Executed is what an Exec record holds besides its event.
type Executed struct {
	File bpf.PinwatchFileIdentity // what /proc/PID/exe leads to: of a script its interpreter
	Path string                   // as execve was given it, cut to 215 bytes: of a script the script's
}

func decodeExecuted(raw []byte) Executed {
	r := (*bpf.PinwatchEventExec)(unsafe.Pointer(unsafe.SliceData(raw)))
	path := unsafe.Slice((*byte)(unsafe.Pointer(&r.Path)), len(r.Path))
	if n := bytes.IndexByte(path, 0); n >= 0 {
		path = path[:n]
	}
	return Executed{*(*bpf.PinwatchFileIdentity)(unsafe.Pointer(&r.File)), string(path)}
}

func decodeParentDeath(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventParentDeath)(p)
	e.Args = [8]uint64{uint64(r.Children), uint64(r.Signal)}
}

func decodeSwitch(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventSwitch)(p)
	e.Args = [8]uint64{r.RunNs, r.RunqNs, r.BlockedNs, uint64(r.Waker), uint64(uint16(r.LastCpu)),
		uint64(r.Why), uint64(r.Lock)}
}

func decodeSum(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventSum)(p)
	e.Args = [8]uint64{r.Until, r.Switches, r.Migrations, r.RunNs, r.RunqNs, r.BlockedNs}
}

func decodeSumLock(p unsafe.Pointer, e *Event, _ *Stacks) {
	r := (*bpf.PinwatchEventSumLock)(p)
	e.Args = [8]uint64{r.Until, r.Checks, r.Handoffs, r.WakeNs, r.CpuNs}
}

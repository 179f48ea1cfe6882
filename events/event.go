// Package events is the wire: what one event is, how a record of the kernel becomes one, its text twin, and the order in which
// events reach the correlator. It knows nothing of Go threads and draws no conclusion.
package events

import "bytes"

// Event is one event of one thread of the target, of any kind. Args are by kind: see the Arg constants.
type Event struct {
	Time  Time
	TID   uint32 // in the initial PID namespace; the thread that the event is about
	CPU   uint16 // where it was recorded
	Kind  Kind
	Flags uint8
	Args  [8]uint64
}

// LastCPU is the CPU that a Switch or Thread event's thread ran on before; -1 when not known.
func (e *Event) LastCPU() int { return int(int16(e.Args[ArgLastCPU])) }

// Name is the thread's name (comm) of a Thread event.
func (e *Event) Name() string {
	name := e.rawName()
	if n := bytes.IndexByte(name[:], 0); n >= 0 {
		return string(name[:n])
	}
	return string(name[:])
}

func (e *Event) rawName() (name [16]byte) {
	for i := range name {
		name[i] = byte(e.Args[ArgComm+i/8] >> (i % 8 * 8))
	}
	return name
}

// Has reports whether all the given flag bits are set.
func (e *Event) Has(flags uint8) bool { return e.Flags&flags == flags }

// Package events is the wire. Decode turns a record of the kernel side into an [Event]; [Ring] and
// [Banks] read the records from the kernel's maps, [Reorder] puts events into the order of their
// times, and [Stacks] numbers their user stacks. Each event has a text twin (text.go), in which the
// correlator's scenarios are written. The package draws no conclusion from events.
package events

import (
	"bytes"
	"time"
)

// Time is a point on the kernel's CLOCK_MONOTONIC in nanoseconds (bpf_ktime_get_ns). It does not
// count suspend. 0 means not known.
type Time int64

// Sub returns the time from u to t; negative when t is earlier.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Event is one event of one thread of the target, of any kind. Args are by kind: see the Arg
// constants.
type Event struct {
	Time  Time
	TID   uint32 // in the initial PID namespace; the thread that the event is about
	CPU   uint16 // where it was recorded
	Kind  Kind
	Flags uint8
	Args  [8]uint64
}

// LastCPU returns the CPU that the thread of a Switch or Thread event ran on before; -1 when not
// known.
func (e *Event) LastCPU() int { return int(int16(e.Args[ArgLastCPU])) }

// Name returns the thread's name (comm) of a Thread event.
func (e *Event) Name() string { return e.NameAt(ArgComm) }

// NameAt returns the name of a task in an argument and the next.
func (e *Event) NameAt(arg int) string {
	name := e.rawName(arg)
	if n := bytes.IndexByte(name[:], 0); n >= 0 {
		return string(name[:n])
	}
	return string(name[:])
}

func (e *Event) rawName(arg int) (name [16]byte) {
	for i := range name {
		name[i] = byte(e.Args[arg+i/8] >> (i % 8 * 8))
	}
	return name
}

func (e *Event) setName(arg int, name *[16]int8) {
	for i, c := range name {
		e.Args[arg+i/8] |= uint64(uint8(c)) << (i % 8 * 8)
	}
}

// Has reports whether all the given flag bits are set.
func (e *Event) Has(flags uint8) bool { return e.Flags&flags == flags }

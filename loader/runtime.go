package loader

import (
	"fmt"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// Runtime locates values in a Go runtime. Only this module can make one that is not zero.
type Runtime struct{ info *goruntime.Info }

// RuntimeOf returns the Runtime of a program; nil = not known.
func RuntimeOf(info *goruntime.Info) Runtime { return Runtime{info} }

// withoutC reports whether the program is known to have no C code.
func (r Runtime) withoutC() bool {
	return r.info != nil && r.info.Unknown["CGO"] == nil && !r.info.CGO
}

// A piece is the part of runtime.g that is read at once: its offset and its length in bytes.
type piece struct{ offset, size uint32 }

const (
	maxPiece = uint32(bpf.PinwatchConfigLimitG_PIECE_MAX)
	maxMasks = int(bpf.PinwatchConfigLimitMASKS)
)

// gPiece is the piece from the first to the last of atomicstatus, goid and lockedm.
func gPiece(o *goruntime.Offsets) (piece, error) {
	offset := min(o.GStatus, o.GGoid, o.GLockedM) &^ 7 // words in it stay aligned
	p := piece{offset: offset, size: max(o.GStatus+4, o.GGoid+8, o.GLockedM+8) - offset}
	switch {
	case o.GStatus%4 != 0 || o.GGoid%8 != 0 || o.GLockedM%8 != 0:
		return p, fmt.Errorf("atomicstatus at %d, goid at %d, lockedm at %d: not aligned",
			o.GStatus, o.GGoid, o.GLockedM)
	case p.size > maxPiece:
		return p, fmt.Errorf("atomicstatus, goid and lockedm span %d bytes, the kernel side reads at most %d",
			p.size, maxPiece)
	}
	return p, nil
}

// kernelRuntime is what the kernel side knows of a Go runtime: zero if info has no offsets. many: it
// is one of many, whose goid must follow atomicstatus.
func kernelRuntime(info *goruntime.Info, many bool) (r bpf.PinwatchGoRuntime, err error) {
	if info == nil || info.Offsets == nil || info.GSlot == nil {
		return r, nil
	}
	o := info.Offsets
	if o.MLockedInt != o.MLockedExt+4 {
		return r, fmt.Errorf("offsets of runtime.m: lockedInt at %d does not follow lockedExt at %d",
			o.MLockedInt, o.MLockedExt)
	}
	g, err := gPiece(o)
	if err == nil && many && o.GGoid != o.GStatus+8 {
		err = fmt.Errorf("goid at %d does not follow atomicstatus at %d", o.GGoid, o.GStatus)
	}
	if err != nil {
		return r, fmt.Errorf("offsets of runtime.g: %w", err)
	}
	extra := o.MIsExtra
	if extra == goruntime.Absent {
		extra = 0
	}
	r = bpf.PinwatchGoRuntime{
		Known:          1,
		Cgo:            number(info.CGO),
		GoText:         info.TextStart,
		GoTextSize:     info.TextEnd - info.TextStart,
		OffsetsProved:  number(info.OffsetsProved),
		G_tlsOffset:    info.GSlot.TLS,
		G_inRegister:   number(info.GSlot.Register),
		OffG_m:         o.GM,
		OffG_goid:      o.GGoid,
		OffG_startpc:   o.GStartPC,
		OffM_procid:    o.MProcID,
		OffM_id:        o.MID,
		OffM_mstartfn:  o.MStartFn,
		OffM_isextra:   extra,
		OffM_curg:      o.MCurG,
		OffM_p:         o.MP,
		OffM_lockedg:   o.MLockedG,
		OffM_lockedext: o.MLockedExt,
		G_piece:        g.offset,
		G_pieceSize:    g.size,
		InG_goid:       o.GGoid - g.offset,
		InG_status:     o.GStatus - g.offset,
		InG_lockedm:    o.GLockedM - g.offset,
		AsyncPreempt:   info.AsyncPreempt,
	}
	for i, m := range info.SignalMasks[:min(len(info.SignalMasks), maxMasks)] {
		r.MaskAt[i], r.MaskSet[i] = m.Addr, m.Set
	}
	return r, nil
}

func number(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// setRuntime sets the constants that locate values in the one target's Go runtime.
func (k *kernelSide) setRuntime(info *goruntime.Info) error {
	r, err := kernelRuntime(info, false)
	if err != nil {
		return err
	}
	return set(setting{k.GoRuntime, r})
}

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

// setRuntime sets the constants that locate values in the target's Go runtime. It sets none if info
// has no offsets.
func (k *kernelSide) setRuntime(info *goruntime.Info) error {
	if info == nil || info.Offsets == nil || info.GSlot == nil {
		return nil
	}
	o := info.Offsets
	if o.MLockedInt != o.MLockedExt+4 {
		return fmt.Errorf("offsets of runtime.m: lockedInt at %d does not follow lockedExt at %d",
			o.MLockedInt, o.MLockedExt)
	}
	g, err := gPiece(o)
	if err != nil {
		return fmt.Errorf("offsets of runtime.g: %w", err)
	}
	extra := o.MIsExtra
	if extra == goruntime.Absent {
		extra = 0
	}
	var addresses, values [maxMasks]uint64
	for i, m := range info.SignalMasks[:min(len(info.SignalMasks), maxMasks)] {
		addresses[i], values[i] = m.Addr, m.Set
	}
	return set([]setting{
		{k.RuntimeKnown, true},
		{k.RuntimeCgo, info.CGO},
		{k.GoText, info.TextStart},
		{k.GoTextSize, info.TextEnd - info.TextStart},
		{k.OffsetsProved, info.OffsetsProved},
		{k.G_tlsOffset, info.GSlot.TLS},
		{k.G_inRegister, info.GSlot.Register},
		{k.OffG_m, o.GM},
		{k.OffG_goid, o.GGoid},
		{k.OffG_startpc, o.GStartPC},
		{k.OffM_procid, o.MProcID},
		{k.OffM_id, o.MID},
		{k.OffM_mstartfn, o.MStartFn},
		{k.OffM_isextra, extra},
		{k.OffM_curg, o.MCurG},
		{k.OffM_p, o.MP},
		{k.OffM_lockedg, o.MLockedG},
		{k.OffM_lockedext, o.MLockedExt},
		{k.G_piece, g.offset},
		{k.G_pieceSize, g.size},
		{k.InG_goid, o.GGoid - g.offset},
		{k.InG_status, o.GStatus - g.offset},
		{k.InG_lockedm, o.GLockedM - g.offset},
		{k.AsyncPreempt, info.AsyncPreempt},
		{k.MaskAt, addresses},
		{k.MaskSet, values},
	}...)
}

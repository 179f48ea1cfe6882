package loader

import (
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// piece is a stretch of runtime.g that is read at once, from the first of some fields to the end of the last.
type piece struct{ at, size uint32 }

// maxPiece is G_PIECE_MAX of bpf/goruntime.h.
const maxPiece = 128

// maxMasks is MASKS of bpf/config.h.
const maxMasks = 2

func gPiece(o *goruntime.Offsets) (piece, error) {
	at := min(o.GStatus, o.GGoid, o.GLockedM) &^ 7 // words in it stay aligned
	p := piece{at: at, size: max(o.GStatus+4, o.GGoid+8, o.GLockedM+8) - at}
	switch {
	case o.GStatus%4 != 0 || o.GGoid%8 != 0 || o.GLockedM%8 != 0:
		return p, fmt.Errorf("atomicstatus at %d, goid at %d, lockedm at %d: not aligned", o.GStatus, o.GGoid, o.GLockedM)
	case p.size > maxPiece:
		return p, fmt.Errorf("atomicstatus, goid and lockedm are %d bytes apart, the kernel side has room for %d", p.size, maxPiece)
	}
	return p, nil
}

// runtimeVariables are the constants of bpf/config.h that say where the runtime keeps things; none when info does not know.
func runtimeVariables(info *goruntime.Info) (map[string]any, error) {
	if info == nil || info.Offsets == nil || info.GSlot == nil {
		return map[string]any{}, nil
	}
	o := info.Offsets
	if o.MLockedInt != o.MLockedExt+4 {
		return nil, fmt.Errorf("offsets of runtime.m: lockedInt at %d does not follow lockedExt at %d", o.MLockedInt, o.MLockedExt)
	}
	g, err := gPiece(o)
	if err != nil {
		return nil, fmt.Errorf("offsets of runtime.g: %w", err)
	}
	extra := o.MIsExtra
	if extra == goruntime.Absent {
		extra = 0
	}
	var at, set [maxMasks]uint64
	for i, m := range info.SignalMasks[:min(len(info.SignalMasks), maxMasks)] {
		at[i], set[i] = m.Addr, m.Set
	}
	return map[string]any{
		"runtime_known":   true,
		"runtime_cgo":     info.CGO,
		"offsets_proved":  info.OffsetsProved,
		"g_tls_offset":    info.GSlot.TLS,
		"g_in_register":   info.GSlot.Register,
		"off_g_m":         o.GM,
		"off_g_goid":      o.GGoid,
		"off_g_startpc":   o.GStartPC,
		"off_m_procid":    o.MProcID,
		"off_m_id":        o.MID,
		"off_m_mstartfn":  o.MStartFn,
		"off_m_isextra":   extra,
		"off_m_curg":      o.MCurG,
		"off_m_p":         o.MP,
		"off_m_lockedg":   o.MLockedG,
		"off_m_lockedext": o.MLockedExt,
		"g_piece":         g.at,
		"g_piece_size":    g.size,
		"in_g_goid":       o.GGoid - g.at,
		"in_g_status":     o.GStatus - g.at,
		"in_g_lockedm":    o.GLockedM - g.at,
		"async_preempt":   info.AsyncPreempt,
		"mask_at":         at,
		"mask_set":        set,
	}, nil
}

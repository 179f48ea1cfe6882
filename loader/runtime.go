package loader

import (
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// pieceMax is PIECE_MAX of bpf/goruntime.h.
const pieceMax = 288

// A piece is a stretch of one of the runtime's structs that is read at once, from the first of some fields to the end of the last.
type piece struct{ at, size uint32 }

type field struct{ offset, size uint32 }

func pieceOf(fields ...field) (piece, error) {
	p := piece{at: fields[0].offset}
	end := uint32(0)
	for _, f := range fields {
		if f.offset%f.size != 0 {
			return p, fmt.Errorf("offset %d of a field of %d bytes", f.offset, f.size)
		}
		p.at, end = min(p.at, f.offset), max(end, f.offset+f.size)
	}
	p.at &^= 7 // words in it stay aligned
	p.size = end - p.at
	if p.size > pieceMax {
		return p, fmt.Errorf("fields %d bytes apart, the kernel side has room for %d", p.size, pieceMax)
	}
	return p, nil
}

// runtimeVariables are the constants of bpf/config.h that say where the runtime keeps things; none when info does not know.
func runtimeVariables(info *goruntime.Info) (map[string]any, error) {
	if info == nil || info.Offsets == nil || info.GSlot == nil {
		return map[string]any{}, nil
	}
	o := info.Offsets
	m, err := pieceOf(field{o.MLockedG, 8}, field{o.MLockedExt, 4}, field{o.MLockedInt, 4})
	if err != nil {
		return nil, fmt.Errorf("offsets of runtime.m: %w", err)
	}
	g, err := pieceOf(field{o.GStatus, 4}, field{o.GGoid, 8}, field{o.GLockedM, 8})
	if err != nil {
		return nil, fmt.Errorf("offsets of runtime.g: %w", err)
	}
	extra := o.MIsExtra
	if extra == goruntime.Absent {
		extra = 0
	}
	return map[string]any{
		"runtime_known":  true,
		"runtime_cgo":    info.CGO,
		"g_tls_offset":   info.GSlot.TLS,
		"g_in_register":  info.GSlot.Register,
		"off_g_m":        o.GM,
		"off_g_goid":     o.GGoid,
		"off_g_startpc":  o.GStartPC,
		"off_m_procid":   o.MProcID,
		"off_m_id":       o.MID,
		"off_m_mstartfn": o.MStartFn,
		"off_m_isextra":  extra,
		"m_piece":        m.at,
		"m_piece_size":   m.size,
		"in_m_lockedg":   o.MLockedG - m.at,
		"in_m_ext":       o.MLockedExt - m.at,
		"in_m_int":       o.MLockedInt - m.at,
		"g_piece":        g.at,
		"g_piece_size":   g.size,
		"in_g_goid":      o.GGoid - g.at,
		"in_g_status":    o.GStatus - g.at,
		"in_g_lockedm":   o.GLockedM - g.at,
		"async_preempt":  info.AsyncPreempt,
	}, nil
}

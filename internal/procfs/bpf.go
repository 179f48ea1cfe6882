package procfs

import (
	"os"
	"strconv"
	"strings"
)

// BPFObject is a BPF object that a process holds by a file descriptor.
type BPFObject struct {
	Kind string // prog, map or link
	ID   uint32
}

// BPFObjects lists the BPF objects that the process holds, each once for every descriptor. A
// descriptor that is closed meanwhile is left out; a process that has ended holds none.
func (d Dir) BPFObjects() (objects []BPFObject) {
	entries, err := os.ReadDir(string(d) + "/fdinfo")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if text, err := d.read("fdinfo/" + e.Name()); err == nil {
			objects = append(objects, parseBPFObjects(text)...)
		}
	}
	return objects
}

// parseBPFObjects parses /proc/PID/fdinfo/FD: a program has a line prog_id, a map a line map_id,
// and a link a line link_id and that of its program.
func parseBPFObjects(text string) (objects []BPFObject) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		kind, isID := strings.CutSuffix(key, "_id")
		if !isID || kind != "prog" && kind != "map" && kind != "link" {
			continue
		}
		if id, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32); err == nil {
			objects = append(objects, BPFObject{kind, uint32(id)})
		}
	}
	return objects
}

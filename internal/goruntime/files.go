package goruntime

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// Files keeps what takes long to read of executables, for processes that run the same ones: the
// addresses of symbols, and the offsets of fields by DWARF. The zero value is empty. Its methods may be
// called from several goroutines. A nil *Files keeps nothing.
type Files struct {
	mu    sync.Mutex
	known map[fileID]*fileFacts
}

// fileID is a file with one content: writing to it sets its times.
type fileID struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

type fileFacts struct {
	sync.Mutex                   // held while the file is read
	addrs      map[string]uint64 // nil = not known yet; never changed
	offsets    *Offsets
	dwarfErr   error // why there are none; nil, and no offsets = not known yet
}

// maxFiles is how many executables are kept. One takes a few kilobytes.
const maxFiles = 512

func identify(f *os.File) (id fileID, ok bool) {
	var st unix.Stat_t
	if f == nil || unix.Fstat(int(f.Fd()), &st) != nil {
		return id, false
	}
	return fileID{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}, true
}

// find returns what is kept of a file; nil = nothing can be.
func (f *Files) find(file *os.File) *fileFacts {
	id, ok := identify(file)
	if f == nil || !ok {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	facts := f.known[id]
	if facts == nil && len(f.known) < maxFiles {
		if f.known == nil {
			f.known = map[fileID]*fileFacts{}
		}
		facts = &fileFacts{}
		f.known[id] = facts
	}
	return facts
}

// lookUp is the function lookUp, for the object of a file.
func (f *Files) lookUp(obj *object, s *objfile.Space) (map[string]uint64, error) {
	facts := f.find(obj.file)
	if facts == nil {
		return lookUp(obj.img, s)
	}
	facts.Lock()
	defer facts.Unlock()
	if facts.addrs != nil {
		return facts.addrs, nil
	}
	addrs, err := lookUp(obj.img, s)
	if err == nil {
		facts.addrs = addrs
	}
	return addrs, err
}

// dwarf is offsets.FromDWARF, for the object of a file. The result belongs to the caller.
func (f *Files) dwarf(obj *object) (*Offsets, error) {
	facts := f.find(obj.file)
	if facts == nil {
		return offsets.FromDWARF(obj.img)
	}
	facts.Lock()
	defer facts.Unlock()
	if facts.offsets == nil && facts.dwarfErr == nil {
		facts.offsets, facts.dwarfErr = offsets.FromDWARF(obj.img)
	}
	if facts.dwarfErr != nil {
		return nil, facts.dwarfErr
	}
	own := *facts.offsets
	return &own, nil
}

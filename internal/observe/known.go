package observe

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// known keeps the programs that processes have executed, for others that execute the same file and end
// before they can be read. Its methods may be called from several goroutines.
type known struct {
	mu   sync.Mutex
	by   map[bpf.PinwatchFileIdentity]*knownProgram
	uses uint64
}

type knownProgram struct {
	kept  *goruntime.Kept // nil: it is being read, or cannot be kept
	notGo bool            // with certainty
	links bool            // several paths lead to the file
	users int             // members that have it
	last  uint64          // of known's uses
}

// mostKnown bounds the programs that are kept: each has an open file and up to 4 MiB of names of
// functions.
const mostKnown = 256

// claim reports whether a file's program is to be read: it is not kept, and nobody else reads it.
func (k *known) claim(file bpf.PinwatchFileIdentity) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by == nil {
		k.by = map[bpf.PinwatchFileIdentity]*knownProgram{}
	}
	if k.by[file] != nil || !k.makeRoom() {
		return false
	}
	k.uses++
	k.by[file] = &knownProgram{last: k.uses}
	return true
}

// makeRoom forgets the program that was last used longest ago. It reports whether there is room.
func (k *known) makeRoom() bool {
	if len(k.by) < mostKnown {
		return true
	}
	var oldest *knownProgram
	var file bpf.PinwatchFileIdentity
	for id, p := range k.by {
		if p.users == 0 && (oldest == nil || p.last < oldest.last) {
			oldest, file = p, id
		}
	}
	if oldest == nil {
		return false
	}
	delete(k.by, file)
	oldest.close()
	return true
}

func (p *knownProgram) close() {
	if p.kept != nil {
		p.kept.Close()
	}
}

// put keeps what was read of a claimed file.
func (k *known) put(file bpf.PinwatchFileIdentity, read knownProgram) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.by[file]; p != nil && p.kept == nil {
		p.kept, p.notGo, p.links = read.kept, read.notGo, read.links
	} else {
		read.close()
	}
}

// unclaim has the file read again at its next exec.
func (k *known) unclaim(file bpf.PinwatchFileIdentity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.by, file)
}

// take returns what is kept of a file, or nil. release must follow.
func (k *known) take(file bpf.PinwatchFileIdentity) *knownProgram {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.by[file]
	if p == nil || p.kept == nil && !p.notGo {
		return nil
	}
	k.uses++
	p.last = k.uses
	p.users++
	return p
}

func (k *known) release(p *knownProgram) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p.users--
}

// Close closes the files.
func (k *known) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.by {
		p.close()
	}
	k.by = nil
}

// ctimeTick is more than the longest tick of the clock of ctime: 10 ms (kernel/Kconfig.hz, HZ_100). A
// change of a file more than that after another one gives it another ctime.
const ctimeTick = 20 * time.Millisecond

// keepProgram keeps the program of the file that the member has executed, and has the kernel side read
// locks of it from the first instruction of the next process on. It does nothing unless the file that
// is read is certain to have the content that was executed: the file has the identity that the kernel
// saw, and each later change would have given it another one.
func (m *member) keepProgram() {
	h, file := m.hub, m.executed.File
	changed := time.Unix(file.CtimeS, int64(file.CtimeNs))
	executed := time.Now().Add(-h.now().Sub(m.exec))
	if m.exec == 0 || file.CtimeS == 0 || executed.Sub(changed) < ctimeTick || !h.known.claim(file) {
		return
	}
	f := m.openExecuted()
	if f == nil {
		h.known.unclaim(file)
		return
	}
	kept, err := goruntime.Keep(f, f.Name(), goruntime.Options{Offsets: h.cfg.Offsets, GoVersion: h.cfg.GoVersion,
		Files: h.files})
	links, same := isFile(f, &file)
	if !same {
		f.Close() // the Kept's, too
		h.known.unclaim(file)
		return
	}
	if err != nil {
		f.Close()
	} else {
		_ = h.group.Know(file, loader.RuntimeOf(&kept.Open(0).Info)) // its own report has this error
	}
	h.known.put(file, knownProgram{kept: kept, links: links > 1, notGo: errors.Is(err, goruntime.ErrNotGo)})
}

// openExecuted opens the file that the member has executed: by the process that was held, or by its
// path. nil = it cannot.
func (m *member) openExecuted() *os.File {
	if rt := m.o.program.Runtime; rt != nil {
		if f, err := rt.Executable(); err == nil {
			return f
		}
	}
	return m.executed.open()
}

// open opens the file by its path, unless that leads to another one by now.
func (e *executed) open() *os.File {
	path := e.path()
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	if _, same := isFile(f, &e.File); !same {
		f.Close()
		return nil
	}
	return f
}

// isFile reports whether an open file is the one that the kernel saw, with the same content, and how
// many paths lead to it.
func isFile(f *os.File, file *bpf.PinwatchFileIdentity) (links uint64, same bool) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return uint64(st.Nlink), err == nil && isStat(&st, file)
}

// isStat compares what stat and the kernel have of a file. On overlayfs over several file systems, and
// on btrfs, the numbers differ: such a file is none.
func isStat(st *unix.Stat_t, file *bpf.PinwatchFileIdentity) bool {
	const minorBits = 20 // include/linux/kdev_t.h
	return st.Ino == file.Ino && uint64(st.Size) == file.Size &&
		int64(st.Ctim.Sec) == file.CtimeS && uint32(st.Ctim.Nsec) == file.CtimeNs &&
		unix.Major(st.Dev) == file.Dev>>minorBits && unix.Minor(st.Dev) == file.Dev&(1<<minorBits-1)
}

// recall describes the program of a process that ended before it was read, by what is kept of another
// process that executed the same file.
func (m *member) recall() {
	p := m.hub.known.take(m.executed.File)
	if p == nil {
		return
	}
	o := m.o
	m.recalled, m.unread, o.noProgram = p, false, nil
	if p.notGo {
		if m.skip = NotGo; !m.wanted(m.endedName(), true) {
			m.skip = Unwanted
		}
		return
	}
	rt := p.kept.Open(o.target.PID)
	if path := m.executed.path(); path != "" && p.links {
		rt.Exe, rt.Module = path, path
	}
	o.program = &Program{Runtime: rt, Info: &rt.Info, Symbols: p.kept.Symbols}
	o.described(o.program)
	if err := p.kept.SymbolsErr; err != nil {
		o.warnings = append(o.warnings, oneLine(err))
	}
	o.warnings = append(o.warnings, "the process ended before it could be read: its program is known by another process "+
		"that executed the same file, and GOMAXPROCS is not known")
	m.first = unreadEdge(os.ErrProcessDone)
	if !m.wanted(o.target.Exe, true) {
		m.skip = Unwanted
	}
}

// executed is what an Exec record holds of a program.
type executed events.Executed

// path is where the file may be opened; "" = it is not known.
func (e *executed) path() string {
	switch {
	case !filepath.IsAbs(e.Path), strings.HasPrefix(e.Path, "/proc/"), strings.HasPrefix(e.Path, "/dev/fd/"):
		return ""
	}
	return filepath.Clean(e.Path)
}

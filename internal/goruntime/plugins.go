package goruntime

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/pclntab"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// A Plugin is a part of the program's code that it has loaded while it runs (go build
// -buildmode=plugin). It shares the runtime of the program.
type Plugin struct {
	Path string // in the mount namespace of the process; "" = not known
	// LockOSThread is the run-time address of its copy of runtime.LockOSThread; 0 = it has none. Which
	// copy a plugin calls is up to the dynamic linker.
	LockOSThread uint64
	Err          error // why the functions have no names; nil = they have

	start, end uint64 // of its functions, run-time addresses
	obj        *object
	symbols    *Symbols
}

// plugins are the plugins of a program, as far as they are known.
type plugins struct {
	mu      sync.Mutex
	modules *pclntab.Modules // nil = not found yet
	err     error            // why they cannot be found
	list    []Plugin         // of modules but the first

	examined map[uint64]bool // inodes of mapped files that need not be looked at again
	others   []string        // see OtherRuntimes
}

// Plugins returns the plugins that the program has loaded until now, in that order. The error means
// that there may be more.
func (r *Runtime) Plugins() ([]Plugin, error) {
	if !r.Info.Plugins {
		return nil, nil
	}
	r.plugins.mu.Lock()
	defer r.plugins.mu.Unlock()
	err := r.growPlugins()
	return slices.Clone(r.plugins.list), err
}

// pluginSymbols returns the symbols of the plugin with code at the run-time address pc, or nil.
func (r *Runtime) pluginSymbols(pc uint64) *Symbols {
	r.plugins.mu.Lock()
	defer r.plugins.mu.Unlock()
	s, known := r.plugins.at(pc)
	if !known && r.growPlugins() == nil {
		s, _ = r.plugins.at(pc)
	}
	return s
}

// at returns the symbols of the plugin with code at pc, which may be nil, and whether there is one.
func (p *plugins) at(pc uint64) (s *Symbols, known bool) {
	for i := range p.list {
		if pl := &p.list[i]; pc >= pl.start && pc < pl.end {
			return pl.symbols, true
		}
	}
	return nil, false
}

// growPlugins adds the plugins that were loaded since the last call. Without any, it takes some
// microseconds. Plugins are never unloaded.
func (r *Runtime) growPlugins() error {
	p := &r.plugins
	if p.err != nil {
		return p.err
	}
	if r.memErr != nil {
		return r.memErr
	}
	mem := objfile.MemorySpace(r.mem, 0)
	if p.modules == nil {
		s, err := r.space()
		if err == nil {
			p.modules, err = pclntab.OpenModules(r.obj.img, s, mem)
		}
		if err != nil {
			p.err = fmt.Errorf("find plugins: %w", err)
			return p.err
		}
	}
	err := p.modules.Grow()
	for _, m := range p.modules.List[1+len(p.list):] {
		p.list = append(p.list, r.openPlugin(m))
	}
	if err != nil {
		err = fmt.Errorf("find plugins: %w", err)
	}
	return err
}

// openPlugin opens the file that a module of the program was mapped from.
func (r *Runtime) openPlugin(m pclntab.Module) Plugin {
	p := Plugin{start: m.Start, end: m.End}
	mapped, err := r.process.mappings()
	if err != nil {
		p.Err = err
		return p
	}
	i := slices.IndexFunc(mapped, func(f procfs.Mapping) bool { return m.Start >= f.Start && m.Start < f.End })
	if i < 0 {
		p.Err = fmt.Errorf("no file is mapped at %#x", m.Start)
		return p
	}
	p.Path = mapped[i].Path
	if p.obj = r.process.openMapped(mapped[i]); p.obj == nil {
		p.Err = errors.New("the file cannot be read, or was replaced")
		return p
	}
	r.files = append(r.files, p.obj.file)
	s, err := pclntab.Open(p.obj.img, objfile.MemorySpace(r.mem, p.obj.bias), p.obj.bias)
	if err != nil {
		p.Err = err
		return p
	}
	if start, end := s.Text(); start != m.Start || end != m.End {
		p.Err = fmt.Errorf("its functions are from %#x to %#x, in memory from %#x to %#x", start, end, m.Start, m.End)
		return p
	}
	p.symbols = s
	p.LockOSThread, p.Err = s.Find(fnLockOSThread)
	return p
}

// objects are the files with the program's code.
func (r *Runtime) objects() []*object {
	objects := []*object{r.obj}
	r.plugins.mu.Lock()
	defer r.plugins.mu.Unlock()
	for i := range r.plugins.list {
		if obj := r.plugins.list[i].obj; obj != nil {
			objects = append(objects, obj)
		}
	}
	return objects
}

// OtherRuntimes returns the paths of Go libraries in the process that have a Go runtime of their own
// (go build -buildmode=c-shared). Their threads, goroutines and locks are not this Runtime's. Only
// files that were not there before are opened, so it can be called again.
func (r *Runtime) OtherRuntimes() []string {
	if r.Static && r.Module == r.Exe { // such a program loads no libraries
		return nil
	}
	r.plugins.mu.Lock()
	defer r.plugins.mu.Unlock()
	p := &r.plugins
	if r.Info.Plugins {
		_ = r.growPlugins() // a plugin that is not known yet is no other runtime either, see hasRuntime
	}
	mapped, err := r.process.mappings()
	if err != nil {
		return slices.Clone(p.others)
	}
	if p.examined == nil {
		p.examined = make(map[uint64]bool)
		var st unix.Stat_t
		if unix.Fstat(int(r.obj.file.Fd()), &st) == nil {
			p.examined[st.Ino] = true
		}
	}
	for _, m := range mapped {
		if p.examined[m.Inode] || r.TextStart >= m.Start && r.TextStart < m.End {
			continue
		}
		p.examined[m.Inode] = true
		if slices.ContainsFunc(p.list, func(pl Plugin) bool { return pl.start >= m.Start && pl.start < m.End }) {
			continue
		}
		if obj := r.process.openObject(m); obj != nil {
			if r.hasRuntime(obj) {
				p.others = append(p.others, obj.path)
			}
			obj.file.Close()
		}
	}
	return slices.Clone(p.others)
}

// hasRuntime reports whether a Go library brings a runtime along. A plugin uses that of the program.
// How it was built is not known before Go 1.18, nor of obfuscated programs.
func (r *Runtime) hasRuntime(library *object) bool {
	_, build, err := objfile.ReadBuildInfo(library.img, library.img.Space())
	if err != nil || setting(build, "-buildmode") == "" {
		return !r.Info.Plugins
	}
	mode := setting(build, "-buildmode")
	return mode != "plugin" && mode != "shared"
}

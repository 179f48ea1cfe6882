package verify

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/gosource"
)

// systems reads how the release makes and preempts threads on systems that pinwatch does not run
// on.
func systems(r *run) error {
	tree, err := r.lab.Source(r)
	if err != nil {
		return unableError("the source of " + r.lab.GoVersion + " is not available: " + err.Error())
	}
	s := sourceReader{run: r, tree: tree}
	s.darwin()
	s.windows()
	s.others()
	r.Source = "the runtime's source: " + strings.Join(s.places, ", ")
	return s.err
}

// sourceReader counts what it finds in the source, and remembers where. It does nothing after an
// error.
type sourceReader struct {
	*run
	tree   *gosource.Tree
	places []string // FILE:LINE CODE
	err    error
}

// call counts a call that one of the functions of a file has.
func (s *sourceReader) call(count, file string, functions []string, codes ...string) {
	s.add(count, 0)
	for _, name := range functions {
		f, ok, err := s.tree.Find(file, name)
		if s.err == nil {
			s.err = err
		}
		if !ok || s.err != nil {
			continue
		}
		for _, code := range codes {
			if line := f.LineOf(code); line > 0 {
				s.add(count, 1)
				s.places = append(s.places, fmt.Sprintf("%s:%d %s", path.Base(file), line, strings.Trim(code, "_(")))
				return
			}
		}
	}
}

// word counts a word that any file of the runtime has.
func (s *sourceReader) word(count, word string) {
	uses, err := s.tree.Uses("runtime", word)
	if s.err == nil {
		s.err = err
	}
	if len(uses) == 0 {
		s.add(count, 0)
		s.places = append(s.places, "no "+word)
		return
	}
	s.add(count, 1)
	s.places = append(s.places, fmt.Sprintf("%s:%d %s", path.Base(uses[0].File), uses[0].Line, word))
}

func (s *sourceReader) darwin() {
	const file = "runtime/os_darwin.go"
	s.add("darwin_read", 1)
	s.call("darwin_makes_thread", file, []string{"newosproc"}, "pthread_create(", "bsdthread_create(")
	s.call("darwin_pthread_kill", file, []string{"signalM"}, "pthread_kill(")
	s.word("darwin_bsdthread", "bsdthread_create")
}

func (s *sourceReader) windows() {
	const file = "runtime/os_windows.go"
	s.add("windows_read", 1)
	// Go 1.27 calls it in createThread, older releases in newosproc.
	s.call("windows_create_thread", file, []string{"createThread", "newosproc"}, "_CreateThread")
	s.call("windows_suspend", file, []string{"preemptM"}, "_SuspendThread")
	s.word("windows_apc", "QueueUserAPC")
}

// others counts the systems by the runtime's files os_NAME.go. LockOSThread is in proc.go, which
// every system compiles where no build constraint keeps it out.
func (s *sourceReader) others() {
	names, err := s.tree.Files("runtime")
	if err != nil {
		s.err = err
		return
	}
	var found []string
	for _, name := range names {
		system, ok := strings.CutPrefix(strings.Replace(name, "os3_", "os_", 1), "os_") // os3_solaris.go
		if system, isGo := strings.CutSuffix(system, ".go"); ok && isGo && slices.Contains(ports, system) &&
			!slices.Contains(found, system) {
			found = append(found, system)
		}
	}
	const file = "runtime/proc.go"
	_, ok, err := s.tree.Find(file, "LockOSThread")
	constrained, constrainedErr := s.tree.Constrained(file)
	declared, usesErr := s.tree.Uses("runtime", "func LockOSThread(")
	for _, e := range []error{err, constrainedErr, usesErr} {
		if s.err == nil {
			s.err = e
		}
	}
	s.add("systems", int64(len(found)))
	s.add("systems_with_lock", 0)
	if ok && !constrained && len(declared) == 1 {
		s.add("systems_with_lock", int64(len(found)))
		s.places = append(s.places, fmt.Sprintf("proc.go:%d LockOSThread", declared[0].Line))
	}
	unbound := int64(0)
	for _, system := range found {
		if slices.Contains(wasmPorts, system) {
			unbound++
		}
	}
	s.call("wasm_does_nothing", file, []string{"dolockOSThread"}, `GOARCH == "wasm"`)
	s.add("systems_unbound", unbound*s.Counts["wasm_does_nothing"])
}

// ports are the systems that Go has been ported to, as go tool dist list has them. Those that share
// the runtime's files with another are left out: android, illumos, ios.
var ports = []string{"aix", "darwin", "dragonfly", "freebsd", "js", "linux", "nacl", "netbsd", "openbsd", "plan9",
	"solaris", "wasip1", "windows"}

// wasmPorts are those whose only architecture is wasm.
var wasmPorts = []string{"js", "wasip1"}

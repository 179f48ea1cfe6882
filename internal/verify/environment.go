package verify

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/gosource"
)

// A setting is an environment variable that changes what the Go runtime of a program does, or how
// the go command builds it. Every one of them has a name that begins with GO, and no workload needs
// any. A workload gets only those that are handed to it, so that a verdict is about the release.

// IsSetting reports whether a variable of this name is a setting.
func IsSetting(name string) bool { return strings.HasPrefix(name, "GO") }

// RuntimeSettings are the variables that a running program's runtime reads (runtime/extern.go). The
// others are the go command's.
var RuntimeSettings = []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GORACE", "GOTRACEBACK"}

// SplitSettings separates an environment: that of the workloads, with the settings of these names;
// the settings that they get; and those that a runtime would read and they don't get.
func SplitSettings(environ, handed []string) (workloads []string, given, cleared map[string]string) {
	given, cleared = map[string]string{}, map[string]string{}
	workloads = []string{}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case !IsSetting(name):
			workloads = append(workloads, v)
		case slices.Contains(handed, name):
			workloads = append(workloads, v)
			given[name] = value
		case slices.Contains(RuntimeSettings, name):
			cleared[name] = value
		}
	}
	return workloads, given, cleared
}

// UnknownDebug lists the settings of GODEBUG that the runtime of a release does not have. The
// runtime ignores them silently (runtime/runtime1.go, parsegodebug).
func UnknownDebug(tree *gosource.Tree, value string) (names []string, err error) {
	for _, part := range strings.Split(value, ",") {
		name, _, _ := strings.Cut(part, "=")
		if name == "" || strings.HasPrefix(name, "cpu.") { // options of package internal/cpu
			continue
		}
		known := false
		for _, pkg := range []string{"runtime", "internal/godebugs"} { // the latter from Go 1.21 on
			uses, err := tree.Uses(pkg, strconv.Quote(name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			known = known || len(uses) > 0
		}
		if !known {
			names = append(names, name)
		}
	}
	return names, nil
}

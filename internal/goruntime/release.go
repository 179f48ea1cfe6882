package goruntime

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/pclntab"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// IsRelease reports whether version names a release of Go, as "go1.26.8".
func IsRelease(version string) bool {
	_, ok := offsets.ParseRelease(version)
	return ok
}

// readRelease fills in the release and what else the build info states, and returns the build info.
// A program that does not name its release has the one of o, if there is one.
func (r *Runtime) readRelease(s *objfile.Space, o Options) (*debug.BuildInfo, error) {
	info := &r.Info
	version, build, err := objfile.ReadBuildInfo(r.obj.img, s)
	if err != nil {
		build = &debug.BuildInfo{}
	}
	info.GoVersion, info.Path, info.BuildMode = version, build.Path, setting(build, "-buildmode")
	switch {
	case o.GoVersion != "":
		return build, r.takeRelease(s, o)
	case errors.Is(err, ErrNotGo):
		err = errors.New(strings.TrimPrefix(err.Error(), ErrNotGo.Error()+": "))
		fallthrough
	case err != nil:
		info.unknown(fmt.Errorf("%w: %w", ErrHidden, err), "GoVersion")
	}
	return build, nil
}

// takeRelease makes the release of o that of the program, unless the program contradicts.
func (r *Runtime) takeRelease(s *objfile.Space, o Options) error {
	given, ok := offsets.ParseRelease(o.GoVersion)
	if !ok {
		return &ReleaseError{o.GoVersion, "not a release of Go"}
	}
	own, named := offsets.ParseRelease(r.GoVersion)
	if named && own != given {
		return &ReleaseError{o.GoVersion, fmt.Sprintf("the program names its release, %.60s", r.GoVersion)}
	}
	if first, last, err := pclntab.Releases(r.obj.img, s); err == nil && (given.Minor < first || given.Minor > last) {
		to := fmt.Sprintf("to 1.%d", last)
		if last == math.MaxInt {
			to = "and later"
		}
		return &ReleaseError{o.GoVersion, fmt.Sprintf("the program's table of functions is that of Go 1.%d %s", first, to)}
	}
	if !named {
		r.GoVersion, r.GoVersionGiven = o.GoVersion, true
	}
	return nil
}

package offsets

import (
	"fmt"
	"regexp"
	"strconv"
)

// A Release is a release of Go 1. Offsets change from release to release: mostly from minor to
// minor, but patch releases move fields too, as 1.23.12 and 1.24.6 did by m.allpSnapshot.
type Release struct{ Minor, Patch int }

// String returns a release in the form of runtime.Version. The first of a minor release has no
// patch number, whether or not Go gave it one.
func (r Release) String() string {
	if r.Patch == 0 {
		return fmt.Sprintf("go1.%d", r.Minor)
	}
	return fmt.Sprintf("go1.%d.%d", r.Minor, r.Patch)
}

// versionPattern matches results of runtime.Version: "go1.26.8", "go1.27rc1", "go1.26.8
// X:synctest", "go1.21.5-custom", "devel go1.28-2f4b6ba". Anything but a further number may follow
// the release.
var versionPattern = regexp.MustCompile(`^(?:devel )?go1\.([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:[^0-9.].*)?$`)

// ParseRelease returns the release that version is or was made from. Release candidates,
// development versions and vendors' names without a patch number count as the first of their minor
// release. It returns false for development versions before Go 1.17, whose names hold only a
// commit.
func ParseRelease(version string) (Release, bool) {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return Release{}, false
	}
	minor, _ := strconv.Atoi(m[1])
	patch, _ := strconv.Atoi(m[2]) // 0 for ""
	return Release{minor, patch}, true
}

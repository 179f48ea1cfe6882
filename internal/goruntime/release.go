package goruntime

import (
	"fmt"
	"regexp"
	"strconv"
)

// A Release is a release of Go 1, the unit in which offsets change: mostly from minor to minor, but a patch release may move
// fields too, as 1.23.12 and 1.24.6 did by m.allpSnapshot.
type Release struct{ Minor, Patch int }

// String writes a release as Go's own version strings do. The first of a minor release has no patch number, whether or not Go
// gave it one.
func (r Release) String() string {
	if r.Patch == 0 {
		return fmt.Sprintf("go1.%d", r.Minor)
	}
	return fmt.Sprintf("go1.%d.%d", r.Minor, r.Patch)
}

// versionPattern finds the release at the start of what runtime.Version says: "go1.26.8", "go1.27rc1", "go1.26.8 X:synctest",
// "go1.21.5-custom", "devel go1.28-2f4b6ba". Behind it may stand anything but a further number.
var versionPattern = regexp.MustCompile(`^(?:devel )?go1\.([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:[^0-9.].*)?$`)

// ParseRelease returns the release that version is or was made from. Release candidates, development versions and vendors'
// names without a patch number count as the first of their minor release. A bare commit, which development versions before
// Go 1.17 are called by, tells nothing.
func ParseRelease(version string) (Release, bool) {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return Release{}, false
	}
	minor, _ := strconv.Atoi(m[1])
	patch, _ := strconv.Atoi(m[2]) // 0 for ""
	return Release{minor, patch}, true
}

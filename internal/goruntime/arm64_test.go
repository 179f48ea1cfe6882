package goruntime

import (
	"os"
	"testing"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/gslot"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/testprog"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// TestARM64 reads programs built for arm64, which cannot run here: their offsets, and how they load
// g. The code that loads g is the same with and without cgo.
func TestARM64(t *testing.T) {
	t.Setenv("GOARCH", "arm64")
	t.Setenv("CGO_ENABLED", "0")
	builtin, err := offsets.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, goroot := range testprog.Goroots(t) {
		for name, ldflags := range map[string]string{"plain": "", "stripped": "-s -w"} {
			t.Run(goroot+"/"+name, func(t *testing.T) {
				f, err := os.Open(goBuild(t, goroot, ldflags))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				img, err := objfile.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				file := img.Space()
				addrs, err := lookUp(img, file)
				if err != nil {
					t.Fatal(err)
				}
				slots := &gslot.Finder{Image: img, Addrs: addrs, Main: true}
				if slot, err := slots.Find(true); err != nil || *slot != (GSlot{TLS: 16}) {
					t.Errorf("with cgo: %+v, %v", slot, err)
				}
				if slot, err := slots.Find(false); err != nil || *slot != (GSlot{Register: true}) {
					t.Errorf("without cgo: %+v, %v", slot, err)
				}
				version, _, err := objfile.ReadBuildInfo(img, file)
				if err != nil {
					t.Fatal(err)
				}
				release, _ := offsets.ParseRelease(version)
				locks, real := lockFields(img, addrs), builtin.Find(release, "arm64")
				other := *real
				other.MLockedG += 8
				if locks == nil || !fits(locks, real) || fits(locks, &other) {
					t.Errorf("the code has fields at %v, the table %+v", locks, *real)
				}
				r := &Runtime{obj: &object{img: img}, Info: Info{GoVersion: version}}
				counts, err := r.findStopping(addrs)
				if release.Minor < 22 {
					if err == nil {
						t.Errorf("an account of stops at %#x", counts)
					}
				} else if err != nil {
					t.Error(err)
				}
				if ldflags != "" {
					return
				}
				if syms, err := img.Symbols("runtime.sched"); err != nil || release.Minor >= 22 &&
					counts-syms["runtime.sched"] > 8<<10 {
					t.Errorf("an account of stops at %#x, runtime.sched at %#x, %v", counts, syms["runtime.sched"], err)
				}
				o, err := offsets.FromDWARF(img)
				if err != nil || *o != *builtin.Find(release, "arm64") {
					t.Errorf("offsets %+v, %v; the table has %+v", o, err, builtin.Find(release, "arm64"))
				}
			})
		}
	}
}

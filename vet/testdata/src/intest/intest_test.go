package intest

import (
	"runtime"
	"testing"

	"github.com/vishvananda/netns"
)

func TestMain(m *testing.M) {
	runtime.LockOSThread()
	m.Run()
}

func TestLocked(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	_ = netns.Set(3) // want `cleanup: netns.Set changes the network namespace of the thread, and TestLocked unlocks`
	t.Run("on another goroutine", func(t *testing.T) {
		_ = netns.Set(3) // want `netns.Set changes the thread`
	})
}

func TestThrownAway(t *testing.T) {
	runtime.LockOSThread()
	_, _ = netns.New()
}

func TestUnlocked(t *testing.T) {
	_, _ = netns.New() // want `netns.New changes the thread`
}

func TestLoop(t *testing.T) {
	for range 3 {
		runtime.LockOSThread() //vet:test // want `LockOSThread in a loop`
	}
}

package paths

import (
	"errors"
	"runtime"

	"github.com/vishvananda/netns"
)

func early(ok bool) error {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `paths: early is still locked to the thread where it returns in line 14`
	if !ok {
		return errors.New("no")
	}
	defer runtime.UnlockOSThread()
	return nil
}

func forgotten(n int) int {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `forgotten is still locked to the thread where it returns in line 25`
	switch n {
	case 1:
		return 1
	case 2:
		runtime.UnlockOSThread()
		return 2
	}
	runtime.UnlockOSThread()
	return n + 1
}

func everyPath(ok bool) error {
	// errno is the thread's.
	runtime.LockOSThread()
	if !ok {
		runtime.UnlockOSThread()
		return errors.New("no")
	}
	defer runtime.UnlockOSThread()
	return nil
}

func onlySometimes(ok bool) {
	if ok {
		// errno is the thread's.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
}

func panics(ok bool) {
	// errno is the thread's.
	runtime.LockOSThread()
	if !ok {
		panic("no")
	}
	defer runtime.UnlockOSThread()
}

func byAnother(old netns.NsHandle) {
	// errno is the thread's.
	runtime.LockOSThread()
	leave := func() {
		defer runtime.UnlockOSThread()
		_ = netns.Set(old)
	}
	leave()
}

func scrapped(old netns.NsHandle) {
	go func() {
		// errno is the thread's.
		runtime.LockOSThread()
		if netns.Set(old) == nil {
			runtime.UnlockOSThread() // else the thread is in the wrong namespace: it is destroyed
		}
	}()
}

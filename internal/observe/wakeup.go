package observe

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
)

// wakeups calls a function when the kernel side wakes a reader of its ring buffers. It does so for the
// exec of a process that becomes a target, and for nothing else: the program must be read while it lives.
type wakeups struct {
	epoll, stop int // file descriptors
	done        chan struct{}
}

func openWakeups(ring *events.Ring, call func()) (_ *wakeups, err error) {
	w := &wakeups{epoll: -1, stop: -1, done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("wait for execs: %w", err), w.closeFiles())
		}
	}()
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if w.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return nil, err
	}
	for _, fd := range append(ring.FDs(), w.stop) {
		// Edge-triggered: records that wake nobody are there most of the time.
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)}
		if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return nil, err
		}
	}
	go w.run(call)
	return w, nil
}

func (w *wakeups) run(call func()) {
	defer close(w.done)
	var woken [16]unix.EpollEvent
	for {
		n, err := unix.EpollWait(w.epoll, woken[:], -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return // the hub polls
		}
		for _, e := range woken[:max(n, 0)] {
			if e.Fd == int32(w.stop) {
				return
			}
		}
		call()
	}
}

// Close returns when call is not called any more.
func (w *wakeups) Close() error {
	one := [8]byte{1}
	_, err := unix.Write(w.stop, one[:])
	if err == nil {
		<-w.done
	}
	return errors.Join(err, w.closeFiles())
}

func (w *wakeups) closeFiles() (err error) {
	for _, fd := range []int{w.epoll, w.stop} {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	return err
}

package loader

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// tasks is an attached iterator over threads: of one process where the kernel can (Linux 6.1), else
// of the whole machine. A thread of another process costs half a microsecond.
type tasks struct {
	prog  *ebpf.Program
	some  *link.Iter   // nil: the kernel cannot
	whole *link.Iter   // nil: not needed yet
	again func() error // called before some answers come twice; may be nil
}

// taskFilter restricts an iterator to one thread, or to the threads of a process, by their ids in
// the PID namespace of the caller (include/uapi/linux/bpf.h, union bpf_iter_link_info).
type taskFilter struct {
	tid, pid, pidfd uint32
}

// attachTasks attaches an iterator. tasks does not own prog.
func attachTasks(prog *ebpf.Program, filter taskFilter) (*tasks, error) {
	t := &tasks{prog: prog}
	var err error
	if t.some, err = attachFiltered(prog, filter); err == nil {
		return t, nil
	}
	return t, t.attachWhole()
}

// attachFiltered attaches an iterator with a filter, which the library cannot. A kernel without
// these filters rejects pid and pidfd and ignores tid (kernel/bpf/bpf_iter.c,
// bpf_iter_link_attach). So the programs filter too.
func attachFiltered(prog *ebpf.Program, filter taskFilter) (*link.Iter, error) {
	attr := struct { // union bpf_attr: link_create
		prog, target, attachType, flags uint32
		info                            unsafe.Pointer
		infoLen                         uint32
		_                               uint32
	}{
		prog: uint32(prog.FD()), attachType: uint32(ebpf.AttachTraceIter),
		info: unsafe.Pointer(&filter), infoLen: uint32(unsafe.Sizeof(filter)),
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_LINK_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(&filter)
	if errno != 0 {
		return nil, fmt.Errorf("attach iterator: %w", errno)
	}
	l, err := link.NewFromFD(int(fd))
	if err != nil {
		return nil, fmt.Errorf("attach iterator: %w", err)
	}
	it, ok := l.(*link.Iter)
	if !ok {
		return nil, errors.Join(fmt.Errorf("attach iterator: got a %T", l), l.Close())
	}
	return it, nil
}

func (t *tasks) attachWhole() (err error) {
	if t.whole == nil {
		if t.whole, err = link.AttachIter(link.IterOptions{Program: t.prog}); err != nil {
			return fmt.Errorf("attach iterator: %w", err)
		}
	}
	return nil
}

// read passes the program's answers, each size bytes long, to each, which reports whether the
// answer may be the last one. If it was not, the iterator ended early: read begins again, over the
// whole machine. Then some answers come twice. An answer is valid during the call only.
func (t *tasks) read(size int, each func(answer []byte) (last bool, err error)) error {
	if t.some != nil {
		if complete, err := readAnswers(t.some, size, each); complete || err != nil {
			return err
		}
		if t.again != nil {
			if err := t.again(); err != nil {
				return err
			}
		}
	}
	if err := t.attachWhole(); err != nil {
		return err
	}
	_, err := readAnswers(t.whole, size, each)
	return err
}

// answersBytes holds what the kernel returns at once (kernel/bpf/bpf_iter.c, bpf_seq_read).
const answersBytes = 32 << 10

// readAnswers runs an iterator. complete is the result of each for the last answer.
func readAnswers(it *link.Iter, size int, each func([]byte) (bool, error)) (complete bool, err error) {
	r, err := it.Open()
	if err != nil {
		return false, fmt.Errorf("open iterator: %w", err)
	}
	defer r.Close()
	buf, held := make([]byte, answersBytes+size), 0
	for {
		n, err := r.Read(buf[held:])
		held += n
		rest := buf[:held]
		for ; len(rest) >= size; rest = rest[size:] {
			var err error
			if complete, err = each(rest[:size]); err != nil {
				return false, err
			}
		}
		held = copy(buf, rest)
		if errors.Is(err, io.EOF) {
			return complete, nil
		} else if err != nil {
			return false, fmt.Errorf("read iterator: %w", err)
		}
	}
}

// Close detaches the iterator.
func (t *tasks) Close() error {
	var errs []error
	for _, it := range []*link.Iter{t.some, t.whole} {
		if it != nil {
			errs = append(errs, it.Close())
		}
	}
	return errors.Join(errs...)
}

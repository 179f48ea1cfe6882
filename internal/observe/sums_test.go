package observe

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
)

// machine is a kernel side whose banks take a while to read, on a clock of its own.
type machine struct {
	time  events.Time
	takes []time.Duration // each Read; the last one again and again
	reads int
	at    []uint64 // boundaries
	bank  []uint32
	read  []int // banks

	awaited []int // the reads before which the runs of programs were awaited
	ends    func()
}

func (m *machine) sums() *sums {
	return &sums{kernel: m, banks: m, sleep: func(d time.Duration) { m.time += events.Time(d) }}
}

func (m *machine) now() events.Time { return m.time }

func (m *machine) Boundary(_, at uint64, bank uint32) error {
	m.at, m.bank = append(m.at, at), append(m.bank, bank)
	return nil
}

func (m *machine) WindowBegins(uint64) error { return nil }

func (m *machine) AwaitRuns() { m.awaited = append(m.awaited, len(m.read)) }

func (m *machine) Read(bank int, _ events.Time, _ func(*events.Event)) {
	m.time += events.Time(m.takes[min(m.reads, len(m.takes)-1)])
	m.reads++
	m.read = append(m.read, bank)
	if m.ends != nil {
		m.ends()
	}
}

func (m *machine) Close() error { return nil }

// A window ends at a boundary that was announced in time, however long the banks take to read; or
// it does not end, after a bounded time, and the kernel side goes on to add to the same bank.
func TestCross(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		takes    []time.Duration
		attempts int // 0 = given up
	}{
		"at once":             {[]time.Duration{0}, 1},
		"slow once":           {[]time.Duration{40 * ms, ms}, 2}, // thousands of CPUs: to clear what they have added up
		"always slow":         {[]time.Duration{30 * ms}, 4},
		"always very slow":    {[]time.Duration{time.Second}, 9},
		"no boundary in time": {[]time.Duration{time.Minute}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{time: 1e9, takes: c.takes}
			s := m.sums()
			at, err := s.next(t.Context(), m.now, discard)
			if c.attempts == 0 {
				if !errors.Is(err, errBoundary) || m.reads != boundaryAttempts || s.bank != 0 {
					t.Errorf("%v after %d attempts, bank %d", err, m.reads, s.bank)
				}
				return
			}
			if err != nil || m.reads != c.attempts || s.bank != 1 || uint64(at) != m.at[len(m.at)-1] || m.time != at {
				t.Errorf("at %d, %v: %+v", at, err, m)
			}
			for i := range m.read {
				if m.read[i] != 1 || m.bank[i] != 1 {
					t.Errorf("attempt %d reads bank %d and announces bank %d", i, m.read[i], m.bank[i])
				}
				if slices.Contains(m.awaited, i) != (i > 0) {
					t.Errorf("runs were awaited before attempts %v", m.awaited)
				}
			}
		})
	}
}

// An observation that is to end does not wait for a window to end. The next boundary ends it.
func TestCrossEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &machine{time: 1e9, takes: []time.Duration{time.Minute}, ends: cancel}
	s := m.sums()
	if _, err := s.next(ctx, m.now, discard); !errors.Is(err, context.Canceled) || m.reads != 1 {
		t.Errorf("%v after %d attempts", err, m.reads)
	}
	m.takes = []time.Duration{0}
	if at, err := s.next(t.Context(), m.now, discard); err != nil || at <= events.Time(m.at[0]) || s.bank != 1 {
		t.Errorf("then at %d, bank %d, %v", at, s.bank, err)
	}
}

// What was added up in a window is read when no program adds to it any more.
func TestReadAwaitsRuns(t *testing.T) {
	m := &machine{time: 1e9, takes: []time.Duration{0}}
	s := m.sums()
	if _, err := s.next(t.Context(), m.now, discard); err != nil {
		t.Fatal(err)
	}
	s.read(m.time, discard)
	if !slices.Equal(m.read, []int{1, 0}) || !slices.Equal(m.awaited, []int{1}) {
		t.Errorf("banks %v were read, runs were awaited before %v", m.read, m.awaited)
	}
}

package truth

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// calibrationDoc is the text of TestBiasFollows: what the programs take, and what becomes of the
// numbers.
type calibrationDoc struct{ rows [][]string }

func (d *calibrationDoc) add(s slowing, all []moved) {
	for _, m := range all {
		if m.still {
			continue
		}
		programs := strings.Join(s.programs, ", ")
		d.rows = append(d.rows, []string{"`" + m.phase + "`", programs, fmt.Sprint(m.n), duration(int64(m.raw)),
			duration(int64(m.slowRaw)), signed(int64(m.shift())), duration(int64(m.corrected)),
			duration(int64(m.slowCorrected)), signed(int64(m.rest())), percent(m.rest() / m.shift())})
	}
}

// write fills the calibration part of the document, with what the programs take in the built-in
// workload beside it.
func (d *calibrationDoc) write(t *testing.T, file string) {
	t.Helper()
	testenv.Require(t, testenv.BPFAdmin)
	r := observeProcess(t, testenv.Workload(t, "demo").PID, observe.Config{Duration: 10 * time.Second}).report()
	kernel := map[string]string{}
	for _, p := range r.Observer.Programs {
		if p.NSPerRun != nil {
			kernel[statisticsName(p.Name)] = duration(int64(*p.NSPerRun))
		}
	}
	var timings [][]string
	for _, o := range r.Observer.Overhead {
		body := "–"
		if o.NS != nil {
			body = duration(int64(*o.NS))
		}
		name := strings.TrimSuffix(strings.TrimSuffix(o.Name, "_in"), "_out")
		timings = append(timings, []string{"`" + o.Name + "`", fmt.Sprint(o.Timed), body, duration(int64(*o.DispatchNS)),
			kernel[name]})
	}
	text := fmt.Sprintf("All figures by `make truth`: Linux %s %s, %d CPUs, virtualization: %s; "+
		"one reading of the clock takes %s.\n\n"+
		"What the programs take in `pinwatch demo`:\n\n%s\n"+
		"What becomes of the numbers when programs are made slower, by medians of rounds that take turns:\n\n%s",
		*r.Host.Kernel, runtime.GOARCH, runtime.NumCPU(), r.Host.Virtualization,
		duration(int64(*r.Observer.ClockReadNS)),
		measure.Table([]string{"program", "runs timed", "body, by itself", "way to it and back",
			"kernel's mean over all processes' runs"}, timings),
		measure.Table([]string{"number", "slower programs", "samples", "median", "slower", "moved", "less `bias_ns`",
			"slower", "moved", "of that"}, d.rows))
	if err := measure.Replace(file, "calibration", text); err != nil {
		t.Fatal(err)
	}
}

// statisticsName is the name of a program among those that time themselves.
func statisticsName(program string) string {
	if call, ok := strings.CutPrefix(program, "sys_exit_"); ok {
		return call + "_return"
	}
	return strings.TrimPrefix(program, "sys_enter_")
}

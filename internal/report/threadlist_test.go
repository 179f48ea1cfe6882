package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// lists are the thread lists that every format is tested on.
func lists() map[string]*report.ThreadList {
	target := report.Target{PID: 4242, Exe: ptr("renderd"), GoVersion: ptr("go1.26.8"), Cgo: ptr(true), PIE: ptr(true), Stripped: ptr(true),
		Offsets: ptr("table"), GOMAXPROCS: ptr(16)}
	thread := func(tid int32, role, lock string) report.ListedThread {
		return report.ListedThread{
			TID: tid, OwnTID: ptr(tid - 4000), Name: "renderd", M: ptr(int64(tid - 4242)), Role: role, Lock: lock,
			LockedExt: ptr(uint32(0)), LockedInt: ptr(uint32(0)), State: ptr("S"), WChan: ptr("futex_do_wait"), CPU: ptr(3),
			Affinity: ptr("0-15"), Nice: ptr(0), Policy: ptr("SCHED_OTHER"), CPUSeconds: ptr(0.42), AgeSeconds: ptr(86_400.5),
		}
	}
	rows := []report.ListedThread{
		thread(4242, "main", "wedged"), thread(4243, "worker", "user"), thread(4244, "worker", "user"), thread(4245, "cgo_extra", "user"),
		thread(4246, "worker", "exiting"), thread(4247, "cgo_extra", "runtime"), thread(4248, "sysmon", "none"), thread(4249, "template", "none"),
		thread(4250, "worker", "none"), thread(4251, "foreign", "none"), thread(4252, "unknown", "unknown"),
	}
	rows[0].LockedExt = ptr(uint32(1))
	a, b := &rows[1], &rows[2]
	a.LockedExt, a.GoID, a.LockEntry, a.Parked = ptr(uint32(3)), ptr(uint64(18)), ptr("example.com/render/internal/gpu.(*Device).loop"), ptr(true)
	b.LockedExt, b.GoID, b.LockEntry, b.Parked = ptr(uint32(1)), ptr(uint64(1234567)), ptr("main.spin"), ptr(false)
	b.RunningGoID, b.P, b.State, b.WChan, b.CPUSeconds = ptr(uint64(1234567)), ptr(int32(12)), ptr("R"), nil, ptr(1.2e6)
	b.Affinity, b.Policy = ptr("3"), ptr("SCHED_FIFO")
	rows[3].LockedExt, rows[3].LockedInt, rows[3].GoID, rows[3].Parked = ptr(uint32(1)), ptr(uint32(2)), ptr(uint64(66)), ptr(false)
	rows[3].RunningGoID = ptr(uint64(66))
	rows[5].LockedInt, rows[5].GoID, rows[5].Parked = ptr(uint32(1)), ptr(uint64(67)), ptr(false)
	rows[8].RunningGoID, rows[8].P, rows[8].State, rows[8].WChan = ptr(uint64(90)), ptr(int32(3)), ptr("R"), nil
	rows[9].M, rows[9].LockedExt, rows[9].LockedInt, rows[9].Name = nil, nil, nil, "wörker/1:\x1b[31m"
	rows[9].Nice = ptr(-5)
	rows[10] = report.ListedThread{TID: 4252, Name: "renderd", Role: "unknown", Lock: "unknown"}

	var many, c []report.ListedThread
	for i := range int32(40) {
		th := thread(5000+i, "worker", "none")
		th.Affinity = ptr([]string{"0-15", "0-15", "0-7", "8"}[i%4])
		th.Nice = ptr(int(i) % 7)
		many = append(many, th)
		c = append(c, report.ListedThread{TID: 77 + i, Name: "nginx", Role: "unknown", Lock: "unknown", State: ptr("S"),
			AgeSeconds: ptr(3.5), CPUSeconds: ptr(0.0)})
	}
	return map[string]*report.ThreadList{
		"threads":      report.NewThreadList(target, rows, []string{"the process is traced (ptrace) by process 17"}),
		"threads_many": report.NewThreadList(target, many, nil),
		"threads_c":    report.NewThreadList(report.Target{PID: 77}, c[:3], []string{"kernel side only: process 77: not a Go program"}),
		"threads_none": report.NewThreadList(report.Target{PID: 1}, nil, nil),
	}
}

func listText(t *testing.T, l *report.ThreadList, o report.TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteThreadListText(&b, l, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThreadListText(t *testing.T) {
	for name, l := range lists() {
		without := listText(t, l, report.TextOptions{})
		testenv.Golden(t, "testdata/"+name+".golden", []byte(without))
		if got := escape.ReplaceAllString(listText(t, l, report.TextOptions{Color: true}), ""); strings.ReplaceAll(got, " \n", "\n") != without {
			t.Errorf("%s: without its escapes the coloured list differs:\n%s", name, got)
		}
		for _, width := range []int{1, 20, 40, 60, 80, 99, 100} {
			for line := range strings.Lines(listText(t, l, report.TextOptions{Width: width})) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%s: %d columns in a page of %d: %q", name, n, width, line)
				}
			}
		}
	}
}

// What matters most stays on a narrow page: which thread, what it is, who holds it.
func TestThreadListNarrow(t *testing.T) {
	got := listText(t, lists()["threads"], report.TextOptions{Width: 40})
	for _, want := range []string{"4243 worker    user×3        18", "4242 main      wedged"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestThreadListJSON(t *testing.T) {
	for name, l := range lists() {
		var b bytes.Buffer
		if err := report.WriteThreadListJSON(&b, l); err != nil {
			t.Fatal(err)
		}
		if err := schematest.CheckThreadList(b.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var back report.ThreadList
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&back, l) {
			t.Errorf("%s: the list read back differs from the one written", name)
		}
		for _, edit := range [][2]string{{`"schema"`, `"scheme"`}, {"threads/v1", "threads/v2"}, {`"warnings": [`, `"more": 1, "warnings": [`}} {
			if err := schematest.CheckThreadList(bytes.Replace(b.Bytes(), []byte(edit[0]), []byte(edit[1]), 1)); err == nil {
				t.Errorf("%s: accepted with %s", name, edit[1])
			}
		}
	}
}

func TestThreadListWriteErrors(t *testing.T) {
	l := lists()["threads_c"]
	for name, err := range map[string]error{
		"json": report.WriteThreadListJSON(broken{}, l), "text": report.WriteThreadListText(broken{}, l, report.TextOptions{}),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v does not wrap the writer's error", name, err)
		}
	}
}

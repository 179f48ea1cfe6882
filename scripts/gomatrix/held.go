package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// threadList is the part of a pinwatch.threads/v1 that the matrix reads.
type threadList struct {
	Target struct {
		GoVersion *string `json:"go_version"`
	} `json:"target"`
	Threads  []listedThread `json:"threads"`
	Warnings []string       `json:"warnings"`
}

type listedThread struct {
	TID         int      `json:"tid"`
	Role        string   `json:"role"`
	Lock        string   `json:"lock"`
	LockedExt   *uint32  `json:"locked_ext"`
	LockEntry   *string  `json:"lock_entry"`
	GoID        *int64   `json:"goid"`
	RunningGoID *int64   `json:"running_goid"`
	Use         *string  `json:"use"`
	Function    *string  `json:"function"`
	Via         *string  `json:"via"`
	Call        *string  `json:"call"`
	CFunc       *string  `json:"c_function"`
	Stack       []string `json:"stack"`
}

// list runs the program at path as a workload whose threads are all held, and lists them by
// pinwatch threads.
func list(ctx context.Context, pinwatch, path, program string) (_ *workload.Account, _ *threadList, err error) {
	ctx, cancel := context.WithTimeout(ctx, rowLimit)
	defer cancel()
	target, err := client.Start(ctx, client.Options{Program: []string{path}}, program, "-hold")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, target.End()) }()
	cmd := exec.CommandContext(ctx, pinwatch, "threads", "-p", strconv.Itoa(target.PID), "--stacks", "-o", "json")
	text, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("pinwatch threads: %w", err)
	}
	l := new(threadList)
	if err := json.Unmarshal(text, l); err != nil {
		return nil, nil, fmt.Errorf("read pinwatch's list of threads: %w", err)
	}
	a, err := target.Quiesce()
	return a, l, err
}

// signalEntry is the function that the runtime's goroutine for signals begins with; it is locked.
const signalEntry = "runtime.ensureSigM.func1"

// compareHeld lists the problems of a list with the account of the same threads.
func compareHeld(a *workload.Account, l *threadList) []problem {
	c := comparison{}
	if v := l.Target.GoVersion; v == nil {
		c.miss("no Go version in the list of threads")
	} else if *v != a.GoVersion {
		c.wrong("Go version %s in the list of threads, is %s", *v, a.GoVersion)
	}
	for _, warning := range l.Warnings {
		c.miss("the list of threads warns: %s", warning)
	}
	byGoID := map[int64]*listedThread{}
	signals := 0
	for i := range l.Threads {
		t := &l.Threads[i]
		if t.LockEntry != nil && *t.LockEntry == signalEntry {
			signals++
			c.word(t.TID, "lock", &t.Lock, "runtime")
			c.word(t.TID, "use", t.Use, "parked")
			continue
		}
		if t.RunningGoID != nil {
			byGoID[*t.RunningGoID] = t
		} else if t.GoID != nil {
			byGoID[*t.GoID] = t
		}
		if t.Use == nil || *t.Use == "unknown" {
			c.miss("thread %d: what holds it is unknown", t.TID)
		}
	}
	if signals != 1 {
		c.miss("%d goroutines of %s, want 1", signals, signalEntry)
	}
	for i := range a.Held {
		if t := byGoID[a.Held[i].GoID]; t != nil {
			c.held(t, &a.Held[i])
		} else {
			c.miss("goroutine %d is not in the list of threads", a.Held[i].GoID)
		}
	}
	return c.problems
}

// held checks a thread that a goroutine keeps.
func (c *comparison) held(t *listedThread, h *workload.Held) {
	lock := "none"
	if h.Depth > 0 {
		lock = "user"
		if t.TID != h.TID {
			c.wrong("goroutine %d on thread %d, is on %d", h.GoID, t.TID, h.TID)
		}
		c.word(t.TID, "lock entry", t.LockEntry, h.Stack[len(h.Stack)-1])
	}
	c.word(t.TID, "lock", &t.Lock, lock)
	if t.LockedExt == nil {
		c.miss("thread %d: locked_ext unknown, is %d", t.TID, h.Depth)
	} else if int(*t.LockedExt) != h.Depth {
		c.wrong("thread %d: locked_ext %d, is %d", t.TID, *t.LockedExt, h.Depth)
	}
	c.word(t.TID, "use", t.Use, h.Use)
	c.word(t.TID, "function", t.Function, h.Stack[0])
	switch h.Use {
	case "call":
		c.word(t.TID, "via", t.Via, "syscall.Read")
	case "c":
		c.word(t.TID, "C function", t.CFunc, "take_byte")
	}
	if h.Call != "" {
		c.word(t.TID, "call", t.Call, h.Call)
	}
	if stack := outermost(t.Stack, len(h.Stack)); !slices.Equal(stack, h.Stack) {
		c.miss("thread %d: the stack ends with %q, is %q", t.TID, stack, h.Stack)
	}
}

// outermost returns the names of the functions of the last n frames.
func outermost(frames []string, n int) (names []string) {
	for _, f := range frames[max(0, len(frames)-n):] {
		name, _, _ := strings.Cut(f, " (")
		names = append(names, name)
	}
	return names
}

func (c *comparison) word(tid int, what string, got *string, want string) {
	switch {
	case got == nil || *got == "unknown":
		c.miss("thread %d: %s unknown, is %s", tid, what, want)
	case *got != want:
		c.wrong("thread %d: %s %s, is %s", tid, what, *got, want)
	}
}

package target

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// Choice is what a person means by a set of processes. A process is meant if one of the fields means it. The
// zero value means none.
type Choice struct {
	PIDs       []int
	Names      []*regexp.Regexp // found in the base name of the program, or in the main thread's name
	Cgroups    []string         // paths, of groups whose processes are meant, and those of all groups below
	Containers []string         // names, ids or the beginning of one, pods
	Units      []string         // of systemd, with or without .service; a template means its instances
	AllGo      bool             // any process with user code: the caller finds out which are Go programs
}

// Watches reports whether processes that start later may be meant.
func (c *Choice) Watches() bool {
	return len(c.Names)+len(c.Cgroups)+len(c.Containers)+len(c.Units) > 0 || c.AllGo
}

// ChoiceError is a choice that can't be made as it was typed.
type ChoiceError struct {
	Flag  string // without dashes
	Value string
	Why   string
}

func (e *ChoiceError) Error() string {
	dashes := "--"
	if len(e.Flag) == 1 {
		dashes = "-"
	}
	return dashes + e.Flag + " " + strconv.Quote(e.Value) + ": " + e.Why
}

// ParsePIDs reads lists of PIDs, separated by commas or blanks as pidof prints them. remarks are about what was
// typed without need.
func ParsePIDs(values []string) (pids []int, remarks []string, err error) {
	for _, value := range values {
		words := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
		if len(words) == 0 {
			return nil, nil, errors.New("-p PID is missing: the process to observe")
		}
		for _, word := range words {
			pid, err := strconv.ParseInt(word, 10, 32)
			if err != nil || pid <= 0 {
				return nil, nil, &ChoiceError{"p", word, "want the PID of a process, a number from 1 on"}
			}
			if slices.Contains(pids, int(pid)) {
				remarks = append(remarks, fmt.Sprintf("-p: %d is in the list twice; it is observed once", pid))
				continue
			}
			pids = append(pids, int(pid))
		}
	}
	slices.Sort(remarks)
	return pids, slices.Compact(remarks), nil
}

// ParseNames reads patterns in the syntax of package regexp. flag is where they were given, without dashes.
func ParseNames(flag string, values []string) (names []*regexp.Regexp, err error) {
	for _, value := range values {
		if value == "" {
			return nil, &ChoiceError{flag, value, "an empty pattern is found in every name"}
		}
		re, err := regexp.Compile(value)
		var wrong *syntax.Error
		switch {
		case errors.As(err, &wrong):
			why := fmt.Sprintf("not a regular expression: %s", wrong.Code)
			if at := strings.Index(value, wrong.Expr); wrong.Expr != value && wrong.Expr != "" && at >= 0 {
				why += fmt.Sprintf(": %s, at character %d", wrong.Expr, at+1)
			}
			return nil, &ChoiceError{flag, value, why}
		case err != nil:
			return nil, &ChoiceError{flag, value, err.Error()}
		}
		names = append(names, re)
	}
	return names, nil
}

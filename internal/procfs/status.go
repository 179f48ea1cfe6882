package procfs

import (
	"fmt"
	"strconv"
	"strings"
)

// Status is /proc/PID/status, or that of a thread. A line that the kernel does not write leaves the
// zero value.
type Status struct {
	State     byte    // R, S, D, T, t, Z, X, I
	TGID      int     // of the process that the thread belongs to
	TracerPID int     // 0 = not traced
	UID       int     // the real user id
	NSPID     []int32 // the number in each PID namespace, from that of /proc inwards; Linux 4.1
	Threads   int
	RSSAnon   *uint64 // anonymous memory in RAM, bytes; nil for a kernel thread, a zombie and before Linux 4.5
	Switches  uint64  // context switches, voluntary and not
	Effective *uint64 // effective capabilities: bit n is capability n; nil = no such line
}

// Status reads the status of the process or thread.
func (d Dir) Status() (Status, error) {
	text, err := d.read("status")
	if err != nil {
		return Status{}, err
	}
	s, err := ParseStatus(text)
	if err != nil {
		return s, fmt.Errorf("read %s/status: %w", d, err)
	}
	return s, nil
}

// ParseStatus parses the text of a status.
func ParseStatus(text string) (s Status, err error) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if err := s.set(key, strings.Fields(value)); err != nil {
			return s, fmt.Errorf("%s: %w", key, err)
		}
	}
	return s, nil
}

// set takes the words of one line.
func (s *Status) set(key string, words []string) (err error) {
	if len(words) == 0 {
		return nil
	}
	switch key {
	case "State":
		s.State = words[0][0]
	case "Tgid":
		s.TGID, err = strconv.Atoi(words[0])
	case "TracerPid":
		s.TracerPID, err = strconv.Atoi(words[0])
	case "Uid": // real, effective, saved, of file systems
		s.UID, err = strconv.Atoi(words[0])
	case "NSpid":
		for _, word := range words {
			id, err := strconv.ParseInt(word, 10, 32)
			if err != nil {
				return err
			}
			s.NSPID = append(s.NSPID, int32(id))
		}
	case "Threads":
		s.Threads, err = strconv.Atoi(words[0])
	case "RssAnon": // in kB, which are KiB
		kib, err := strconv.ParseUint(words[0], 10, 54)
		if err != nil {
			return err
		}
		bytes := kib << 10
		s.RSSAnon = &bytes
	case "CapEff":
		capabilities, err := strconv.ParseUint(words[0], 16, 64)
		if err != nil {
			return err
		}
		s.Effective = &capabilities
	case "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches":
		n, err := strconv.ParseUint(words[0], 10, 64)
		s.Switches += n
		return err
	}
	return err
}

// NSTID returns the number of the process or thread in its own PID namespace; 0 = not known.
func (s *Status) NSTID() int32 {
	if len(s.NSPID) == 0 {
		return 0
	}
	return s.NSPID[len(s.NSPID)-1]
}

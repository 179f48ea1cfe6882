package events

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func itoa(v uint64) string { return strconv.FormatUint(v, 10) }

// argSigned is a signed argument, kept as the wire's 16 bits.
const argSigned = "last_cpu"

// argKind is the kind of a Loss, written by its name.
const argKind = "kind"

func kindText(v uint64) string {
	if v < uint64(kindCount) {
		return specs[v].name
	}
	return itoa(v)
}

// AppendText appends the event as one line of its text twin, without a newline:
//
//	TIME KIND tid=N cpu=N [flags=A|B] [name=value …]
//
// Zero arguments are left out. ParseText returns the same event.
func (e *Event) AppendText(b []byte) []byte {
	b = strconv.AppendInt(b, int64(e.Time), 10)
	b = append(b, ' ')
	b = append(b, e.Kind.String()...)
	if e.TID != 0 {
		b = append(b, " tid="...)
		b = strconv.AppendUint(b, uint64(e.TID), 10)
	}
	if e.CPU != 0 {
		b = append(b, " cpu="...)
		b = strconv.AppendUint(b, uint64(e.CPU), 10)
	}
	if e.Kind >= kindCount {
		return b
	}
	s := &specs[e.Kind]
	if e.Flags != 0 {
		b = append(b, " flags="...)
		b = append(b, flagText(&s.flags, e.Flags)...)
	}
	for i, name := range s.args {
		v := e.Args[i]
		if v == 0 || strings.HasSuffix(name, "comm2") && e.Args[i-1] != 0 {
			continue
		}
		b = append(b, ' ')
		b = append(b, name...)
		b = append(b, '=')
		switch name {
		case "comm", "before_comm", "taker_comm":
			name := e.rawName(i)
			b = strconv.AppendQuote(b, string(bytes.TrimRight(name[:], "\x00")))
		case argSigned:
			b = strconv.AppendInt(b, int64(int16(v)), 10)
		case argKind:
			b = append(b, kindText(v)...)
		default:
			b = strconv.AppendUint(b, v, 10)
		}
	}
	return b
}

func flagText(names *flagNames, flags uint8) string {
	for _, n := range names.values {
		if n.flag == flags {
			return n.name
		}
	}
	if names.values != nil {
		return itoa(uint64(flags))
	}
	var text []string
	for bit := uint8(1); bit != 0; bit <<= 1 {
		if flags&bit == 0 {
			continue
		}
		name := itoa(uint64(bit))
		for _, n := range names.bits {
			if n.flag == bit {
				name = n.name
			}
		}
		text = append(text, name)
	}
	return strings.Join(text, "|")
}

// ParseText reads one line as AppendText writes it. Times may carry underscores (1_000).
func ParseText(line string) (Event, error) {
	var e Event
	fields := splitFields(line)
	if len(fields) < 2 {
		return e, fmt.Errorf("parse event %q: want TIME KIND …", line)
	}
	t, err := strconv.ParseInt(fields[0], 0, 64)
	if err != nil {
		return e, fmt.Errorf("parse event %q: time: %w", line, err)
	}
	e.Time = Time(t)
	s := findSpec(fields[1], &e)
	if s == nil {
		return e, fmt.Errorf("parse event %q: no kind %q", line, fields[1])
	}
	for _, f := range fields[2:] {
		name, value, _ := strings.Cut(f, "=")
		if err := parseField(s, &e, name, value); err != nil {
			return e, fmt.Errorf("parse event %q: %s: %w", line, name, err)
		}
	}
	return e, nil
}

func findSpec(name string, e *Event) *spec {
	for k := range specs {
		if specs[k].name == name && name != "" {
			e.Kind = Kind(k)
			return &specs[k]
		}
	}
	return nil
}

func parseField(s *spec, e *Event, name, value string) error {
	switch name {
	case "tid":
		v, err := strconv.ParseUint(value, 10, 32)
		e.TID = uint32(v)
		return err
	case "cpu":
		v, err := strconv.ParseUint(value, 10, 16)
		e.CPU = uint16(v)
		return err
	case "flags":
		return parseFlags(&s.flags, e, value)
	}
	for i, arg := range s.args {
		if arg != name {
			continue
		}
		return parseArg(e, i, name, value)
	}
	return fmt.Errorf("no such field")
}

func parseArg(e *Event, i int, name, value string) error {
	switch name {
	case argKind:
		for k := range specs {
			if specs[k].name == value && value != "" {
				e.Args[i] = uint64(k)
				return nil
			}
		}
	case "comm", "before_comm", "taker_comm":
		comm, err := strconv.Unquote(value)
		if err != nil || len(comm) > 16 {
			return fmt.Errorf("want a quoted name of at most 16 bytes")
		}
		for j := range len(comm) {
			e.Args[i+j/8] |= uint64(comm[j]) << (j % 8 * 8)
		}
		return nil
	case argSigned:
		v, err := strconv.ParseInt(value, 10, 16)
		e.Args[i] = uint64(uint16(v))
		return err
	}
	if v, err := strconv.ParseInt(value, 0, 64); err == nil {
		e.Args[i] = uint64(v)
		return nil
	}
	v, err := strconv.ParseUint(value, 0, 64)
	e.Args[i] = v
	return err
}

func parseFlags(names *flagNames, e *Event, value string) error {
next:
	for _, f := range strings.Split(value, "|") {
		for _, n := range slices.Concat(names.values, names.bits) {
			if f == n.name {
				e.Flags |= n.flag
				continue next
			}
		}
		v, err := strconv.ParseUint(f, 10, 8)
		if err != nil {
			return fmt.Errorf("no flag %q", f)
		}
		e.Flags |= uint8(v)
	}
	return nil
}

// splitFields splits at spaces outside quotes.
func splitFields(line string) []string {
	quoted := false
	escaped := false
	return strings.FieldsFunc(line, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t')
	})
}

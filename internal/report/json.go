package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// WriteJSON writes the report as one indented JSON object and a newline: -o json.
func WriteJSON(w io.Writer, r *Report) error { return writeByThread(w, r, "  ") }

// WriteNDJSON writes the report as one JSON object on one line, by one call of Write: -o ndjson,
// one line per interval.
func WriteNDJSON(w io.Writer, r *Report) error { return writeJSON(w, r, "") }

// WriteThreadListJSON writes a list of threads as one indented JSON object and a newline.
func WriteThreadListJSON(w io.Writer, l *ThreadList) error { return writeJSON(w, l, "  ") }

// WriteVerdictsJSON writes verdicts as one indented JSON object for each release of Go.
func WriteVerdictsJSON(w io.Writer, vs []*Verdicts) error {
	for _, v := range vs {
		if err := writeJSON(w, v, "  "); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, r any, indent string) error {
	if err := newEncoder(w, "", indent).Encode(r); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

func newEncoder(w io.Writer, prefix, indent string) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // the reader is jq, not a browser
	enc.SetIndent(prefix, indent)
	return enc
}

// writeByThread writes what writeJSON does, but the threads one by one: encoding/json keeps all
// that it writes in memory, and each of 10,000 threads takes a kilobyte.
func writeByThread(w io.Writer, r *Report, indent string) error {
	if len(r.Threads) == 0 {
		return writeJSON(w, r, indent)
	}
	rest, mark := *r, Thread{TID: -1} // no thread has that tid
	rest.Threads = []Thread{mark}
	var text, row bytes.Buffer
	rows := newEncoder(&row, indent+indent, indent)
	if err := rows.Encode(mark); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	if err := writeJSON(&text, &rest, indent); err != nil {
		return err
	}
	before, after, found := bytes.Cut(text.Bytes(), bytes.TrimSpace(row.Bytes()))
	if !found {
		return errors.New("write JSON: the place of the threads is not in the text")
	}
	out, between := bufio.NewWriter(w), before
	for i := range r.Threads {
		row.Reset()
		if err := rows.Encode(&r.Threads[i]); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		_, _ = out.Write(between) // the first error stays, and Flush returns it
		_, _ = out.Write(bytes.TrimSpace(row.Bytes()))
		between = []byte(",\n" + indent + indent)
	}
	_, _ = out.Write(after)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

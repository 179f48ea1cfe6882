package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes the report as one indented JSON object and a newline: -o json.
func WriteJSON(w io.Writer, r *Report) error { return writeJSON(w, r, "  ") }

// WriteNDJSON writes the report as one JSON object on one line: -o ndjson, one line per interval.
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
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // the reader is jq, not a browser
	enc.SetIndent("", indent)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

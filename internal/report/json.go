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

func writeJSON(w io.Writer, r *Report, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // the reader is jq, not a browser
	enc.SetIndent("", indent)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}

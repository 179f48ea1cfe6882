package report

import (
	"bytes"
	"fmt"
	"io"
)

// WriteSummaryJSON writes a summary as one indented JSON object and a newline.
func WriteSummaryJSON(w io.Writer, s *Summary) error { return writeJSON(w, s, "  ") }

// WriteSummaryNDJSON writes a summary as one JSON object on one line, the last one of -o ndjson.
func WriteSummaryNDJSON(w io.Writer, s *Summary) error { return writeJSON(w, s, "") }

// GroupJSON writes one object with many reports, which it does not keep, and their summary: -o json of
// several processes. Each report is one line.
type GroupJSON struct {
	w      io.Writer
	begun  bool
	failed error // the text is broken off
}

// NewGroupJSON returns a group that has written nothing.
func NewGroupJSON(w io.Writer) *GroupJSON { return &GroupJSON{w: w} }

// Report writes the next report.
func (g *GroupJSON) Report(r *Report) error { return g.write(r, "") }

// Close writes the summary and ends the object.
func (g *GroupJSON) Close(s *Summary) error { return g.write(s, "]") }

// write writes the next part, by one call of Write.
func (g *GroupJSON) write(part any, end string) error {
	if g.failed != nil {
		return g.failed
	}
	var text bytes.Buffer
	switch {
	case !g.begun:
		fmt.Fprintf(&text, "{\n  \"schema\": %q,\n  \"reports\": [", GroupID)
	case end == "":
		text.WriteByte(',')
	}
	g.begun = true
	text.WriteByte('\n')
	if end != "" {
		text.WriteString("  ],\n  \"summary\":\n")
	}
	if g.failed = writeJSON(&text, part, ""); g.failed != nil {
		return g.failed
	}
	text.Truncate(text.Len() - 1) // the newline
	if end != "" {
		text.WriteString("\n}\n")
	}
	if _, err := g.w.Write(text.Bytes()); err != nil {
		g.failed = fmt.Errorf("write JSON: %w", err)
	}
	return g.failed
}

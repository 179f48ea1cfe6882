package contract

import (
	"slices"
	"strings"
	"testing"
)

// Every statement of the specification is quoted, and those about the runtime have a place in its
// source.
func TestCitationsAreComplete(t *testing.T) {
	known := map[string]bool{}
	for _, s := range Statements() {
		known[s.ID] = true
	}
	for id, c := range citations() {
		if !known[id] {
			t.Errorf("there is no statement %s", id)
		}
		for _, see := range c.See {
			if !known[see] || see == id {
				t.Errorf("%s: see %s", id, see)
			}
		}
		for verdict, text := range c.True {
			if !slices.Contains([]string{HoldsExcept, Refuted, OutOfRange, Borderline}, verdict) || !strings.HasSuffix(text,
				".") {
				t.Errorf("%s: true %s: %q", id, verdict, text)
			}
		}
	}
	for _, s := range Statements() {
		c := s.Citation()
		if (c.Spec == "") != (s.Section == Beyond) {
			t.Errorf("%s: spec %q", s.ID, c.Spec)
		}
		ofProgram := s.Section == Compliance || s.Section == Review
		if ofProgram != (len(c.Source) == 0) {
			t.Errorf("%s: %d places in the source", s.ID, len(c.Source))
		}
	}
}

// The correction belongs to one verdict, and has the measured interval.
func TestCorrected(t *testing.T) {
	s, _ := Find("P-9")
	for verdict, want := range map[string]string{Holds: "", Inconclusive: "", Refuted: "",
		OutOfRange: "takes 31 µs–37 µs, from"} {
		got := Outcome{Statement: s, Verdict: verdict}.Corrected("31 µs–37 µs")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q", verdict, got)
		}
	}
}

func TestParseCitations(t *testing.T) {
	all, err := parseCitations("# a comment\n\nG-1\nspec It …\ntrue refuted, out_of_range: Not so.\nsee G-2, G-3\n" +
		"source runtime/proc.go a|b 14-22: x: y\nsource runtime/os.go c -13: without z\nsource runtime/os.go d 3-\nG-2\n")
	if err != nil {
		t.Fatal(err)
	}
	c := all["G-1"]
	if len(all) != 2 || c.Spec != "It …" || c.True[Refuted] != "Not so." || c.True[OutOfRange] != "Not so." ||
		!slices.Equal(c.See, []string{"G-2", "G-3"}) || len(c.Source) != 3 {
		t.Fatalf("%+v", all)
	}
	first, second := c.Source[0], c.Source[1]
	if first.File != "runtime/proc.go" || !slices.Equal(first.Functions, []string{"a", "b"}) || first.Code != "x: y" ||
		!first.In(14) || !first.In(22) || first.In(13) || first.In(23) {
		t.Errorf("%+v", first)
	}
	if second.Code != "z" || !second.Without || !second.In(13) || second.In(14) {
		t.Errorf("%+v", second)
	}
	if third := c.Source[2]; third.Code != "" || third.In(2) || !third.In(99) {
		t.Errorf("%+v", third)
	}
	for _, bad := range []string{"G-1\nG-1\n", "G-1\nsays x\n", "G-1\ntrue refuted\n", "G-1\nsource file\n",
		"G-1\nsource file f 14: x\n", "G-1\nsource file f x-: y\n", "G-1\nsource a b c d: y\n"} {
		if _, err := parseCitations(bad); err == nil {
			t.Errorf("read %q", bad)
		}
	}
}

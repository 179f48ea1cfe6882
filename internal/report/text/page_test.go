package text

import (
	"slices"
	"strings"
	"testing"
)

// Every part but the last is followed by its separator, also at the end of a line.
func TestWrap(t *testing.T) {
	parts := []string{"one", "two words", "three", "a part that is longer than any line", "end"}
	for width := 16; width <= 80; width++ {
		p := &page{width: width}
		p.field("label", plain, parts...)
		got := strings.Join(strings.Fields(p.b.String()), " ")
		if want := "label " + strings.Join(parts, " · "); width >= 22 && got != want {
			t.Errorf("width %d: %q", width, p.b.String())
		}
	}
}

// TestLineIsSafe: the target chooses its thread names and paths; none of them may move the cursor
// or colour the terminal.
func TestLineIsSafe(t *testing.T) {
	p := &page{width: 40, color: true}
	p.line(styled{"a\x1b[2J\r\n\tb\u202e\xff", plain})
	if got, want := p.b.String(), "a?[2J???b?\ufffd\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFitLeavesOutByRank(t *testing.T) {
	tab := table{{title: "a", width: 4}, {title: "b", width: 4, spare: 1}, {title: "c", width: 4, spare: 2}}
	for width, want := range map[int]string{15: "abc", 14: "ab", 10: "ab", 9: "a", 1: "a"} {
		var got string
		for _, c := range tab.fit(width) {
			got += c.title
		}
		if got != want {
			t.Errorf("width %d keeps %q, want %q", width, got, want)
		}
	}
	if len(tab) != 3 || tab[2].title != "c" {
		t.Errorf("fit changed the table itself: %v", tab)
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{sparkline(nil), ""}, {sparkline([][2]int64{{1, 1000}, {2, 0}, {3, 1}, {4, 500}, {5, 999}}), "█ ▁▄█"},
		{ending("main.f", 6), "main.f"}, {ending("main.func1", 6), "…func1"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// A text that is too long ends after a whole clause, else after a whole word, a clause never inside brackets.
func TestClause(t *testing.T) {
	const s = "one thread ended (3 in 5 s, all of them locked): it cost much, and more"
	for width, want := range map[int]string{
		100: s, 65: "one thread ended (3 in 5 s, all of them locked): it cost much …",
		52: "one thread ended (3 in 5 s, all of them locked) …", 40: "one thread ended (3 in 5 s, all of …",
		20: "one thread ended …", 12: "one thread …",
	} {
		if got := clause(s, width); got != want {
			t.Errorf("width %d: %q, want %q", width, got, want)
		}
	}
	for width := range 80 {
		got := clause(s, width)
		if len([]rune(got)) > max(width, 2) {
			t.Errorf("width %d: %q is too long", width, got)
		}
	}
}

// A line does not end between a number and its unit.
func TestUnbroken(t *testing.T) {
	got := unbroken("it took 36 µs, 5 ms of 2 threads (25 in 5 s): 1.6 % of it (6.84 µs–7.42 µs), 2 ×–3 ×")
	want := []string{"it", "took", "36 µs,", "5 ms", "of", "2", "threads", "(25", "in", "5 s):", "1.6 %", "of", "it",
		"(6.84 µs–7.42 µs),", "2 ×–3 ×"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

package offsets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRelease(t *testing.T) {
	for version, want := range map[string]string{
		"go1.26.8":                        "go1.26.8",
		"go1.26":                          "go1.26",
		"go1.21.0":                        "go1.21",
		"go1.27rc1":                       "go1.27",
		"go1.26.8 X:rangefunc":            "go1.26.8",
		"go1.26.8-X:nodwarf5":             "go1.26.8",
		"go1.21-custom":                   "go1.21",
		"go1.21.5-fips":                   "go1.21.5",
		"go1.20.5 (Red Hat 1.20.5-1.el9)": "go1.20.5",
		"devel go1.28-2f4b6ba Tue Aug 11 10:00 2026":  "go1.28",
		"go1.28-devel_2f4b6ba Tue Aug 11 10:00 2026":  "go1.28",
		"devel +2f4b6ba Tue Aug 11 10:00:00 2020 UTC": "",
		"go2.0":      "",
		"go1":        "",
		"go1.":       "",
		"go1.26.8.1": "",
		"go1.1234":   "",
		"xgo1.26":    "",
		"":           "",
	} {
		r, ok := ParseRelease(version)
		if got := r.String(); ok != (want != "") || ok && got != want {
			t.Errorf("ParseRelease(%q) = %s, %t; want %q", version, got, ok, want)
		}
	}
}

// TestBuiltinTable: the table has every supported release, in the form that scripts/updateoffsets
// writes.
func TestBuiltinTable(t *testing.T) {
	table, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for minor := 13; minor <= 27; minor++ {
		for _, arch := range []string{"amd64", "arm64"} {
			for _, patch := range []int{0, 99} {
				if r := (Release{minor, patch}); table.Find(r, arch) == nil {
					t.Errorf("nothing for %s %s", r, arch)
				}
			}
		}
	}
	for _, row := range table {
		named := strings.Fields(row.Comment)
		if len(named) == 0 || named[0] != row.From.String() {
			t.Errorf("%s %s: the first toolchain is not the release: %q", row.From, row.Arch, row.Comment)
		}
	}
	if !strings.HasSuffix(builtinText, "\n\n"+table.Text()) {
		t.Error("offsets.txt was edited by hand: run scripts/updateoffsets")
	}
	for _, r := range []Release{{12, 0}, {28, 0}} {
		if o := table.Find(r, "amd64"); o != nil {
			t.Errorf("%s: %+v", r, o)
		}
	}
	if o := table.Find(Release{26, 0}, "riscv64"); o != nil {
		t.Errorf("riscv64: %+v", o)
	}
}

// rows returns the text of a table of amd64 whose rows differ in m.lockedg.
func rows(lockedG map[Release]uint32) string {
	var t Table
	for r, at := range lockedG {
		t = append(t, Row{From: r, Arch: "amd64", Offsets: edited(func(o *Offsets) { o.MLockedG = at })})
	}
	return t.Text()
}

func TestTableFind(t *testing.T) {
	table, err := ParseTable("x", rows(map[Release]uint32{{29, 2}: 400, {29, 5}: 408, {30, 0}: 416}))
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range map[Release]uint32{
		{28, 9}: 0, {29, 0}: 0, {29, 1}: 0, {29, 2}: 400, {29, 4}: 400, {29, 5}: 408, {29, 6}: 408, {30, 0}: 416,
		{30, 7}: 416, {31, 0}: 0,
	} {
		got := uint32(0)
		if o := table.Find(r, "amd64"); o != nil {
			got = o.MLockedG
		}
		if got != want {
			t.Errorf("%s: %d, want %d", r, got, want)
		}
	}
}

func TestTableOnly(t *testing.T) {
	two, err := ParseTable("x", rows(map[Release]uint32{{29, 2}: 400, {30, 0}: 416}))
	if err != nil {
		t.Fatal(err)
	}
	if o := two[:1].Only("amd64"); o == nil || *o != two[0].Offsets {
		t.Errorf("one row: %+v", o)
	}
	if o := two.Only("amd64"); o != nil {
		t.Errorf("two rows: %+v", *o)
	}
	if o := two.Only("arm64"); o != nil {
		t.Errorf("no row: %+v", *o)
	}
}

func TestTableErrors(t *testing.T) {
	good := rows(map[Release]uint32{{29, 0}: 400})
	header, row, _ := strings.Cut(good, "\n")
	for name, tt := range map[string]struct{ text, want string }{
		"empty":  {"", "offsets file F: no row"},
		"no row": {header, "offsets file F: no row"},
		"missing column": {strings.Replace(header, "m.alllink", "", 1),
			"offsets file F, line 1: the header has no column m.alllink"},
		"unknown column": {header + " m.x", `offsets file F, line 1: unknown column "m.x"`},
		"column twice":   {header + " p.id", `offsets file F, line 1: column "p.id" twice`},
		"short row": {"# x\n\n" + header + "\ngo1.29 amd64 48",
			"offsets file F, line 4: 3 words in a table of 24 columns"},
		"bad release": {strings.Replace(good, "go1.29", "1.29", 1), `line 2: release "1.29" is not of the form`},
		"zero patch":  {strings.Replace(good, "go1.29", "go1.29.0", 1), `line 2: release "go1.29.0" is not of the form`},
		"bad arch":    {strings.Replace(good, "amd64", "i386", 1), `line 2: architecture "i386" is neither`},
		"negative":    {strings.Replace(good, " 400 ", " -8 ", 1), `line 2: m.lockedg: "-8" is not a decimal number`},
		"hexadecimal": {strings.Replace(good, " 400 ", " 0x190 ", 1),
			`line 2: m.lockedg: "0x190" is not a decimal number`},
		"absent":          {strings.Replace(good, " 400 ", " - ", 1), `line 2: m.lockedg: "-" is not a decimal number`},
		"large":           {strings.Replace(good, " 400 ", " 99999999 ", 1), `line 2: m.lockedg: "99999999" is not`},
		"far":             {strings.Replace(good, " 400 ", " 9000 ", 1), "line 2: m.lockedg at 9000: not an aligned"},
		"inside":          {strings.Replace(good, " 400 ", " 184 ", 1), "line 2: m.lockedg at 184 overlaps m.curg at 184"},
		"same row":        {good + row, "line 3: second row for go1.29 amd64"},
		"a binary":        {"\x7fELF\x02\x01\x01\x00\xff", "line 1: the header has no column release"},
		"a long one-word": {strings.Repeat("x", 1000), "line 1: the header has no column release"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseTable("F", tt.text)
			var table *TableError
			if !errors.As(err, &table) || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 400 ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestReadTable(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, maxTable+1), 0o644); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for path, want := range map[string]string{
		missing: fmt.Sprintf("offsets file %s: no such file or directory", missing),
		dir:     fmt.Sprintf("offsets file %s: is a directory", dir),
		big:     fmt.Sprintf("offsets file %s: larger than 256 KiB", big),
	} {
		if _, err := ReadTable(path); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzOffsets(f *testing.F) {
	f.Add(builtinText)
	f.Add(rows(map[Release]uint32{{29, 0}: 400}))
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ParseTable("F", text)
		if err != nil {
			var e *TableError
			if !errors.As(err, &e) {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		again, err := ParseTable("F", table.Text())
		if err != nil || len(again) != len(table) {
			t.Fatalf("written and read again: %d rows of %d, %v", len(again), len(table), err)
		}
		for i, row := range table {
			same := again[i].From == row.From && again[i].Arch == row.Arch && again[i].Offsets == row.Offsets
			if row.Offsets.check() != nil || !same {
				t.Errorf("row %d: %+v, then %+v", i, row, again[i])
			}
		}
	})
}

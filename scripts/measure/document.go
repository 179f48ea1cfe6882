package measure

import (
	"fmt"
	"os"
	"strings"
)

// Replace puts text between the markers <!-- name:begin --> and <!-- name:end --> of a file, which
// must have both once.
func Replace(file, name, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	all, err := replace(string(old), name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(all), 0o644)
}

// CanReplace returns the error that Replace would return. Call it before a long measurement.
func CanReplace(file, name string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := replace(string(text), name, ""); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func replace(all, name, text string) (string, error) {
	begin, end := "<!-- "+name+":begin -->", "<!-- "+name+":end -->"
	if strings.Count(all, begin) != 1 || strings.Count(all, end) != 1 {
		return "", fmt.Errorf("want one %s and one %s", begin, end)
	}
	before, rest, _ := strings.Cut(all, begin)
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("%s comes before %s", end, begin)
	}
	return before + begin + "\n" + strings.Trim(text, "\n") + "\n" + end + after, nil
}

// Table formats a Markdown table. The first column is text, the others are figures.
func Table(header []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	line(header)
	rule := make([]string, len(header))
	for i := range rule {
		rule[i] = "---:"
	}
	rule[0] = "---"
	line(rule)
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// Package nearest finds the name that somebody meant to type.
package nearest

import (
	"slices"
	"strings"
)

// Names returns the n names that are most like a word, of those that share about half of it. Of
// two that are equally near, that with the same first letter comes first.
func Names(word string, names []string, n int) []string {
	far := func(name string) int {
		d := 2 * distance(word, name)
		if word != "" && strings.EqualFold(word[:1], name[:1]) {
			d--
		}
		return d
	}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return distance(word, name) > max(2, (len(word)+1)/2)
	})
	slices.SortStableFunc(names, func(a, b string) int { return far(a) - far(b) })
	return names[:min(n, len(names))]
}

// distance is the number of letters to insert, delete or change to turn id into other
// (Levenshtein), in any case.
func distance(id, other string) int {
	source, target := []rune(strings.ToUpper(id)), []rune(strings.ToUpper(other))
	row := make([]int, len(target)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range source {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range target {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(target)]
}

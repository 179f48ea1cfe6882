package cases

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Path selects values of a JSON document.
type Path struct {
	text  string
	steps []step
	fold  byte // '#', '+' or 0
}

// step is a key, and what is selected of its value if that is a list.
type step struct {
	key    string
	index  int       // -1 = none
	filter []keyPair // nil = none
}

type keyPair struct{ key, value string }

var stepForm = regexp.MustCompile(`^(\w+)(?:\[([^\]]+)\])?$`)

// dots separates steps: the dots that are not in brackets.
var dots = regexp.MustCompile(`\.((?:\w+)(?:\[[^\]]*\])?)`)

func parsePath(text string) (p Path, err error) {
	p.text = text
	rest := text
	if n := len(rest) - 1; n > 0 && (rest[n] == '#' || rest[n] == '+') {
		p.fold, rest = rest[n], rest[:n]
	}
	rest = "." + rest
	if got := strings.Join(dots.FindAllString(rest, -1), ""); got != rest {
		return p, fmt.Errorf("%q is no path", text)
	}
	for _, m := range dots.FindAllStringSubmatch(rest, -1) {
		parts := stepForm.FindStringSubmatch(m[1])
		if parts == nil {
			return p, fmt.Errorf("%q is no path", text)
		}
		s := step{key: parts[1], index: -1}
		if n, err := strconv.Atoi(parts[2]); err == nil {
			s.index = n
		} else if parts[2] != "" {
			for _, pair := range strings.Split(parts[2], ",") {
				key, value, ok := strings.Cut(pair, "=")
				if !ok {
					return p, fmt.Errorf("%q is no path: [%s] is neither [N] nor [KEY=VALUE]", text, parts[2])
				}
				s.filter = append(s.filter, keyPair{key, value})
			}
		}
		p.steps = append(p.steps, s)
	}
	return p, nil
}

// find returns the selected values. A list without brackets after its key is one value, unless the
// path folds or goes on: then it is all its elements.
func (p Path) find(doc any, account map[string]any) ([]any, error) {
	found := []any{doc}
	for i, s := range p.steps {
		var next []any
		for _, v := range found {
			object, ok := v.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%s: %q is looked for in %s, which is no object", p.text, s.key, write(v))
			}
			value, ok := object[s.key]
			if !ok {
				return nil, fmt.Errorf("%s: there is no key %q", p.text, s.key)
			}
			list, isList := value.([]any)
			open := s.index < 0 && s.filter == nil
			switch last := i == len(p.steps)-1; {
			case !isList && !open:
				return nil, fmt.Errorf("%s: %q is no list", p.text, s.key)
			case !isList || open && last && p.fold == 0:
				next = append(next, value)
			case s.index >= len(list):
				return nil, fmt.Errorf("%s: %q has %d elements", p.text, s.key, len(list))
			case s.index >= 0:
				next = append(next, list[s.index])
			default:
				for _, element := range list {
					if ok, err := s.selects(element, account); err != nil {
						return nil, err
					} else if ok {
						next = append(next, element)
					}
				}
			}
		}
		found = next
	}
	switch p.fold {
	case '#':
		return []any{float64(len(found))}, nil
	case '+':
		sum := 0.0
		for _, v := range found {
			n, ok := v.(float64)
			if !ok {
				return nil, fmt.Errorf("%s: %s is no number to add up", p.text, write(v))
			}
			sum += n
		}
		return []any{sum}, nil
	}
	return found, nil
}

func (s step) selects(element any, account map[string]any) (bool, error) {
	object, ok := element.(map[string]any)
	for _, pair := range s.filter {
		want, err := evaluate(pair.value, account)
		if err != nil {
			return false, err
		}
		if got, has := object[pair.key]; !ok || !has || write(got) != write(want) {
			return false, nil
		}
	}
	return true, nil
}

// term is one operand of a VALUE, with the operator before it.
var term = regexp.MustCompile(`([-+*])?(\$\w+|\d+(?:\.\d+)?)`)

// evaluate returns the value that a text stands for: a number, a word, null, true or false.
func evaluate(text string, account map[string]any) (any, error) {
	terms := term.FindAllString(text, -1)
	if strings.Join(terms, "") != text || !strings.Contains(text, "$") {
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			return v, nil
		}
		return text, nil
	}
	var result any
	for i, m := range term.FindAllStringSubmatch(text, -1) {
		var v any
		if key, ok := strings.CutPrefix(m[2], "$"); ok {
			if v, ok = account[key]; !ok {
				return nil, fmt.Errorf("the account has no key %s", key)
			}
		} else {
			v, _ = strconv.ParseFloat(m[2], 64) // the expression matched a number
		}
		if i == 0 {
			result = v
			continue
		}
		a, aok := result.(float64)
		b, bok := v.(float64)
		if !aok || !bok {
			return nil, fmt.Errorf("%s: %s and %s are no numbers to calculate with", text, write(result), write(v))
		}
		result = map[string]float64{"+": a + b, "-": a - b, "*": a * b}[m[1]]
	}
	return result, nil
}

// write writes a value as it stands in EXPECT.
func write(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10)
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

package cases

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Expect is a file EXPECT.
type Expect struct {
	Short    bool
	Throttle bool
	Needs    []string
	Build    []string
	Env      []string
	Args     []string
	Pinwatch []string
	Exit     int
	Checks   []Check
}

// Check is a line of EXPECT that the outcome is compared with.
type Check struct {
	Line int
	Kind string // want, may, never, findings, json

	Pattern  string   // of want, may and never
	Findings []string // of findings
	Path     Path     // of json, as the rest
	Op       string
	Value    string
}

// Needs are the names that a line "needs" may have.
var Needs = []string{"cgo", "namespaces", "quota"}

// words are the words that begin a line.
const words = "short, needs, build, env, args, throttle, pinwatch, exit, want, may, never, findings or json"

// Read reads a file EXPECT.
func Read(name string) (*Expect, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, string(text))
}

// Parse reads the text of the file of that name. An error names the file and the line.
func Parse(name, text string) (*Expect, error) {
	e := &Expect{}
	if !strings.HasPrefix(text, "# ") {
		return nil, fmt.Errorf("%s:1: the first line must be a comment: after whose report the case is made", name)
	}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if err := e.line(i+1, word, strings.TrimSpace(rest)); err != nil {
			return nil, fmt.Errorf("%s:%d: %s: %w", name, i+1, word, err)
		}
	}
	if len(e.Pinwatch) == 0 {
		return nil, fmt.Errorf("%s: no line \"pinwatch COMMAND\"", name)
	}
	if len(e.Checks) == 0 {
		return nil, fmt.Errorf("%s: nothing is expected: it has no line want, never, findings or json", name)
	}
	return e, nil
}

func (e *Expect) line(n int, word, rest string) (err error) {
	fields := strings.Fields(rest)
	switch alone := word == "short" || word == "throttle"; {
	case alone && rest != "":
		return fmt.Errorf("it stands alone, without %q", rest)
	case !alone && rest == "":
		return errors.New("nothing follows it")
	}
	switch word {
	case "short":
		e.Short = true
	case "throttle":
		e.Throttle = true
	case "needs":
		for _, name := range fields {
			if !slices.Contains(Needs, name) {
				return fmt.Errorf("%q is no such need; it is one of %s", name, strings.Join(Needs, ", "))
			}
		}
		e.Needs = fields
	case "build":
		e.Build = fields
	case "env":
		e.Env = fields
	case "args":
		e.Args = fields
	case "pinwatch":
		e.Pinwatch = fields
	case "exit":
		e.Exit, err = strconv.Atoi(rest)
	case "want", "may", "never", "findings", "json":
		c := Check{Line: n, Kind: word}
		err = c.parse(rest, fields)
		e.Checks = append(e.Checks, c)
	default:
		return fmt.Errorf("no such word; it is %s", words)
	}
	return err
}

func (c *Check) parse(rest string, fields []string) (err error) {
	switch c.Kind {
	case "findings":
		c.Findings = fields
	case "want", "may", "never":
		c.Pattern = rest
		_, err = regexp.Compile(accountKey.ReplaceAllString(rest, "key"))
	case "json":
		if len(fields) < 3 {
			return fmt.Errorf("want PATH OP VALUE, got %q", rest)
		}
		path, tail, _ := strings.Cut(rest, " ")
		c.Op, c.Value, _ = strings.Cut(strings.TrimSpace(tail), " ")
		c.Value = strings.TrimSpace(c.Value)
		if c.Path, err = parsePath(path); err != nil {
			return err
		}
		if !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">=", "~"}, c.Op) {
			return fmt.Errorf("no such operator: %q", c.Op)
		}
		if c.Op == "~" {
			_, err = regexp.Compile(c.Value)
		}
	}
	return err
}

// accountKey is a place for a value of the account in a regular expression.
var accountKey = regexp.MustCompile(`\$\{(\w+)\}`)

// pattern compiles a regular expression after the values of the account have been put in.
func pattern(text string, account map[string]any) (*regexp.Regexp, error) {
	var missing error
	text = accountKey.ReplaceAllStringFunc(text, func(key string) string {
		v, ok := account[key[2:len(key)-1]]
		if !ok {
			missing = fmt.Errorf("the account has no key %s", key[2:len(key)-1])
		}
		return regexp.QuoteMeta(write(v))
	})
	if missing != nil {
		return nil, missing
	}
	return regexp.Compile(text)
}

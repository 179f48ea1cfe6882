package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// completions are the scripts by shell. They ask the program for the words that may follow
// (--generate-bash-completion of urfave/cli), so they need no update when a flag is added.
var completions = map[string]string{
	"bash": `_pinwatch() {
	local words=("${COMP_WORDS[@]:0:COMP_CWORD}") word="${COMP_WORDS[COMP_CWORD]}"
	[[ "$word" == -* ]] && words+=("${word/#--/-}")
	COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null | cut -d: -f1)" -- "$word"))
}
complete -o bashdefault -o default -F _pinwatch pinwatch
`,
	"zsh": `#compdef pinwatch
_pinwatch() {
	local -a words_now=("${words[@]:0:$((CURRENT-1))}") options
	[[ "${words[CURRENT]}" == -* ]] && words_now+=("${words[CURRENT]/#--/-}")
	options=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 "${words_now[@]}" --generate-bash-completion 2>/dev/null)}")
	if [[ -n "${options[1]}" ]]; then
		_describe 'pinwatch' options
	else
		_files
	fi
}
compdef _pinwatch pinwatch
`,
	"fish": `function __pinwatch_complete
	set -l words (commandline -opc)
	set -l word (commandline -ct)
	string match -q -- '-*' $word; and set words $words (string replace -r '^--' -- - $word)
	$words --generate-bash-completion 2>/dev/null | string replace : \t
end
complete -c pinwatch -a '(__pinwatch_complete)'
`,
}

func completionCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for bash, zsh or fish",
		Category:  "this machine, this tool",
		ArgsUsage: "bash|zsh|fish",
		Description: `Examples:
  source <(pinwatch completion bash)
  source <(pinwatch completion zsh)
  pinwatch completion fish | source`,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			script, ok := completions[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef("completion: name one shell, bash, zsh or fish")
			}
			_, err := fmt.Fprint(s.out, script)
			return err
		},
	}
}

// manCommand writes the manual page of the whole command line. The build installs it.
func manCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:            "man",
		Usage:           "print the manual page",
		Hidden:          true,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Before:          noArguments,
		Action: func(c *cli.Context) error {
			for _, command := range c.App.Commands {
				command.Description = inMarkdown(command.Description)
			}
			c.App.Description = inMarkdown(c.App.Description)
			page, err := c.App.ToManWithSection(1)
			if err != nil {
				return fmt.Errorf("man: %w", err)
			}
			_, err = fmt.Fprint(s.out, page)
			return explainWrite(err)
		},
	}
}

// inMarkdown indents what a description indents so far that Markdown keeps its lines.
func inMarkdown(description string) string {
	var b strings.Builder
	before := ""
	for line := range strings.Lines(description) {
		if strings.HasPrefix(line, "  ") {
			if before != "" && !strings.HasPrefix(before, "  ") && strings.TrimSpace(before) != "" {
				b.WriteByte('\n')
			}
			b.WriteString("  ")
		}
		b.WriteString(line)
		before = line
	}
	return b.String()
}

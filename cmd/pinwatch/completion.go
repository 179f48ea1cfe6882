package main

import (
	"fmt"

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
}

func completionCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for bash or zsh",
		Category:  "this machine, this tool",
		ArgsUsage: "bash|zsh",
		Description: `Examples:
  source <(pinwatch completion bash)
  source <(pinwatch completion zsh)`,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			script, ok := completions[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef("completion: name one shell, bash or zsh")
			}
			_, err := fmt.Fprint(s.out, script)
			return err
		},
	}
}

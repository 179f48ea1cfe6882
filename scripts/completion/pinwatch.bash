# bash completion for pinwatch: the program itself says what may come next.
_pinwatch() {
  local current=${COMP_WORDS[COMP_CWORD]}
  local before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
  case $current in -*) before+=("$current") ;; esac # flags are offered once a dash is typed
  mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" "${before[@]}" --generate-bash-completion 2>/dev/null)" -- "$current")
}
complete -o default -F _pinwatch pinwatch

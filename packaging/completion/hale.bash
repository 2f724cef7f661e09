# SPDX-License-Identifier: Apache-2.0
# bash completion of hale; installed as /usr/share/bash-completion/completions/hale
_hale() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  case $prev in
    hale) mapfile -t COMPREPLY < <(compgen -W 'status alarm metric apply check --help --version' -- "$cur"); return ;;
    alarm) mapfile -t COMPREPLY < <(compgen -W 'list show' -- "$cur"); return ;;
    metric) mapfile -t COMPREPLY < <(compgen -W 'list query' -- "$cur"); return ;;
    --state) mapfile -t COMPREPLY < <(compgen -W 'OK ALARM UNDETERMINED' -- "$cur"); return ;;
    --severity) mapfile -t COMPREPLY < <(compgen -W 'LOW MEDIUM HIGH CRITICAL' -- "$cur"); return ;;
    --stat) mapfile -t COMPREPLY < <(compgen -W 'avg min max count sum' -- "$cur"); return ;;
    -f | --file | --token-file | check) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W '--url --token --token-file --timeout --json --state --severity
    --name --dim --since --stat --period --merge --limit --dry-run --file --help --version' -- "$cur")
}
complete -F _hale hale

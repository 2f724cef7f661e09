# SPDX-License-Identifier: Apache-2.0
# bash completion of hale; installed as /usr/share/bash-completion/completions/hale
_hale() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  case $prev in
    hale) mapfile -t COMPREPLY < <(compgen -W 'status alarm run switch policy audit silence maintenance session dead-letter metric query series apply check test backtest import topology token --help --version' -- "$cur"); return ;;
    import) mapfile -t COMPREPLY < <(compgen -W 'monasca prometheus vitrage osm tacker onap nova neutron heat sol003' -- "$cur"); return ;;
    alarm) mapfile -t COMPREPLY < <(compgen -W 'list show why ack unack assign comment shelve unshelve' -- "$cur"); return ;;
    run) mapfile -t COMPREPLY < <(compgen -W 'list show approve reject acknowledge abort' -- "$cur"); return ;;
    switch) mapfile -t COMPREPLY < <(compgen -W 'list on off' -- "$cur"); return ;;
    policy) mapfile -t COMPREPLY < <(compgen -W 'list unlatch' -- "$cur"); return ;;
    audit) mapfile -t COMPREPLY < <(compgen -W 'show export verify' -- "$cur"); return ;;
    on | off) mapfile -t COMPREPLY < <(compgen -W 'all site/ policy/' -- "$cur"); return ;;
    silence) mapfile -t COMPREPLY < <(compgen -W 'add list expire' -- "$cur"); return ;;
    maintenance) mapfile -t COMPREPLY < <(compgen -W 'add list end' -- "$cur"); return ;;
    session) mapfile -t COMPREPLY < <(compgen -W 'start list show done failed cancel' -- "$cur"); return ;;
    --workflow) mapfile -t COMPREPLY < <(compgen -W 'default vnf' -- "$cur"); return ;;
    dead-letter) mapfile -t COMPREPLY < <(compgen -W 'list replay drop' -- "$cur"); return ;;
    topology) mapfile -t COMPREPLY < <(compgen -W 'apply list show affected export import' -- "$cur"); return ;;
    token) mapfile -t COMPREPLY < <(compgen -W 'create list revoke' -- "$cur"); return ;;
    --role) mapfile -t COMPREPLY < <(compgen -W 'operator agent read-only delegate' -- "$cur"); return ;;
    metric) mapfile -t COMPREPLY < <(compgen -W 'list query' -- "$cur"); return ;;
    series) mapfile -t COMPREPLY < <(compgen -W 'list delete' -- "$cur"); return ;;
    --state) mapfile -t COMPREPLY < <(compgen -W 'OK ALARM UNDETERMINED' -- "$cur"); return ;;
    --severity) mapfile -t COMPREPLY < <(compgen -W 'LOW MEDIUM HIGH CRITICAL' -- "$cur"); return ;;
    --stat) mapfile -t COMPREPLY < <(compgen -W 'avg min max count sum' -- "$cur"); return ;;
    -f | --file | --token-file | --ca-file | --reload | --junit | --policies | --heads | verify | backtest | check | test | nova | neutron | heat | sol003 | monasca | prometheus) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W '--url --token --token-file --ca-file --timeout --json --state --severity
    --name --dim --idle --since --stat --period --range --step --merge --limit --for --comment --owner --starts --workflow --entity --zone --repeat --dry-run --tenant --role --expires --reload --definition --group --file --junit --verbose --from --to --policies --policy --target --alarm --run --kind --reason --heads --match-by --sync --type --source --recipient --apply --help --version' -- "$cur")
}
complete -F _hale hale

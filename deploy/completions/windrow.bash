# Completion for windrow, windrow-node, windrow-origin and windrow-bench in
# bash. What is offered is what their --help says.
_windrow()
{
    local word=$2 before=$3 help choices offered
    local -a ask=("$1")
    if [[ ${1##*/} == windrow ]]; then
        if ((COMP_CWORD == 1)) || [[ ${COMP_WORDS[1]} == help ]]; then
            offered=$("$1" --help 2>/dev/null |
                sed -n 's/^  \([a-z]\+\) .*/\1/p')
            mapfile -t COMPREPLY < \
                <(compgen -W "$offered --help --version" -- "$word")
            return
        fi
        ask+=("${COMP_WORDS[1]}")
    fi
    help=$("${ask[@]}" --help 2>/dev/null)
    if [[ $word == -* ]]; then
        offered=$(grep -oE '^  (--[a-z-]+, )*--[a-z-]+' <<<"$help" | tr -d ,)
    elif [[ $before == --* ]]; then
        choices=$(sed -n "s/^  $before \([^ ]*\).*/\1/p" <<<"$help")
        [[ $choices != *'|'* ]] || offered=${choices//|/ }
    elif [[ ${1##*/} == windrow-bench ]]; then
        offered="list report $("$1" list 2>/dev/null | sed 's/ .*//')"
    fi
    # Nothing offered: bash itself offers files.
    mapfile -t COMPREPLY < <(compgen -W "${offered:-}" -- "$word")
}
complete -o default -F _windrow windrow windrow-node windrow-origin \
    windrow-bench
